/** The console's samples, saved and run as it says, against a started gateway: each report is accepted without a warning. */
import { execFile, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, it } from "vitest";
import { exampleReport } from "../../src/console/samples/example-report.ts";
import { SAMPLE_LANGUAGES, SAMPLES, type SampleLanguage } from "../../src/console/samples/samples.ts";
import { type Gateway, startGateway } from "../proofs/fuzz/gateway.ts";

/** Always there, unlike the others: this runs in Node, and the README's own command needs a shell with curl. */
const REQUIRED: readonly SampleLanguage[] = ["curl", "node"];
/** Go compiles its standard library when it runs for the first time. */
const LONGEST_RUN_MS = 300_000;

const isInstalled = (language: SampleLanguage) => {
  const [program = ""] = SAMPLES[language].run.split(" ");
  // Go has no such option, and says so; a program that is not there cannot be started at all.
  return spawnSync(program, ["--version"]).error === undefined;
};
const languages = SAMPLE_LANGUAGES.filter((each) => REQUIRED.includes(each) || isInstalled(each));

const folder = mkdtempSync(path.join(tmpdir(), "samples-"));
let gateway: Gateway;

beforeAll(async () => {
  gateway = await startGateway();
});

afterAll(async () => {
  await gateway?.stop();
  rmSync(folder, { recursive: true, force: true });
});

it.each(languages)(
  "the sample for %s is accepted",
  async (language) => {
    const [connection] = await gateway.connections(1);
    if (connection === undefined) throw new Error("no connection was created");
    const sample = SAMPLES[language];
    const read = await gateway.portal("GET", `/connections/${connection.id}`);
    const { url, employer_id: id } = (read as { connection: { url: string; employer_id: string } })
      .connection;
    const found = await gateway.portal("GET", `/employers/${id}`);
    const { employer } = found as { employer: { id: string; fein: string | null } };
    const at = `http://127.0.0.1:${gateway.port}${new URL(url).pathname}`;
    writeFileSync(
      path.join(folder, sample.file),
      sample.text({ url: at, body: exampleReport(employer, Date.now()) }),
    );
    const [program = "", ...args] = sample.run.split(" ");
    const env = { ...process.env, AUDIT1_SECRET: connection.secret };
    const { stdout } = await promisify(execFile)(program === "node" ? process.execPath : program, args, {
      cwd: folder,
      env,
    });
    const answer = JSON.parse(stdout.slice(stdout.indexOf("{")));
    expect(answer).toMatchObject({ success: true, duplicate: false, warnings: {} });
    if (language !== "curl") expect(stdout).toMatch(/^202 /);
  },
  LONGEST_RUN_MS,
);
