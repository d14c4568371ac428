/** The short form of `npm run proof -- fuzz`: another seed every time, printed so that a failure can be repeated. */
import { expect, it } from "vitest";
import { runCampaign, SLOWEST_ANSWER_MS } from "../proofs/fuzz/campaign.ts";

const REQUESTS = 2_000;

it("no made-up request is stored unsigned, lost, answered 5xx without promise, or slow to be answered", async () => {
  const seed = Number(process.env.FUZZ_SEED ?? Date.now() % 1_000_000_000);
  const { tally, accepted, slowReports, problems } = await runCampaign({ requests: REQUESTS, seed });
  expect(problems, `FUZZ_SEED=${seed} FUZZ_REQUESTS=${REQUESTS} npm run proof -- fuzz`).toEqual([]);
  expect(tally.requests).toBeGreaterThan(REQUESTS * 0.9);
  expect(accepted).toBeGreaterThan(REQUESTS / 5);
  expect(slowReports).toBeGreaterThan(0);
  expect(tally.slowest).toBeLessThan(10 * SLOWEST_ANSWER_MS);
});
