/**
 * `npm run proof -- fuzz`: fifty thousand made-up requests against a real runtime of the gateway on loopback. Prints what was answered
 * to what, and ends with an error when anything was stored that was not signed, lost, answered 5xx without promise, or
 * slower than a second. `FUZZ_SEED` repeats a run, `FUZZ_REQUESTS` makes it shorter or longer.
 */
import { runCampaign } from "./campaign.ts";

const seed = Number(process.env.FUZZ_SEED ?? Date.now() % 1_000_000_000);
const requests = Number(process.env.FUZZ_REQUESTS ?? 50_000);
const say = (line: string) => process.stdout.write(`${line}\n`);

say(`${requests} requests, FUZZ_SEED=${seed}`);
const startedAt = Date.now();
const { tally, accepted, slowReports, problems } = await runCampaign({
  requests,
  seed,
  onProgress: (sent) => {
    if (sent % 5_000 === 0) say(`  ${sent} sent, ${Math.round((Date.now() - startedAt) / 1_000)} s`);
  },
});
say("");
for (const line of tally.table()) say(line);
say("");
say(
  `${accepted} reports accepted, each stored once and forwarded once; ${slowReports} of them a few bytes at a time`,
);
if (problems.length === 0) say("No 5xx that was not promised, nothing unsigned stored, nothing slow.");
for (const problem of problems) say(`PROBLEM ${problem}`);
process.exitCode = problems.length === 0 ? 0 : 1;
