import { runInDurableObject } from "cloudflare:test";
import { expect, it } from "vitest";
import { AlertStore } from "../../../src/watch/alert-store.ts";
import { read, readForAlerts } from "../../../src/watch/readings.ts";
import { bindings } from "../../support/gateway.ts";
import { withQueryLog } from "../../support/query-plans.ts";
import { watch } from "../../support/watch.ts";

it("the minute's reading of D1 goes through indexes", async () => {
  const { DB, plans } = withQueryLog(bindings.DB);
  const env = { ...bindings, DB };
  expect((await read(env, Date.now())).database).not.toBeNull();
  expect(await readForAlerts(env, ["x"], Date.now())).not.toBeNull();
  const steps = await plans();
  expect(steps).toContainEqual(
    expect.stringMatching(/^SEARCH attention USING (COVERING )?INDEX attention_waiting/),
  );
  const scans = steps.filter((step) => step.startsWith("SCAN"));
  // Webhooks that were given up: this partial index holds only what is asked for. At most 10 000 files are counted.
  expect(scans.map((step) => step.replace("COVERING ", "")).toSorted()).toEqual([
    "SCAN (subquery-1)",
    "SCAN CONSTANT ROW",
    "SCAN attention USING INDEX attention_updated",
    "SCAN json_each VIRTUAL TABLE INDEX 1:",
    "SCAN unsettled",
    "SCAN webhooks USING INDEX webhooks_given_up",
  ]);
});

it.each([
  [{ owner: null, status: null, kind: null }, "PRIMARY KEY"],
  [{ owner: { type: "employer", id: "x" }, status: null, kind: null }, "alerts_owner"],
  [{ owner: null, status: null, kind: "cron_silent" }, "alerts_kind"],
  [{ owner: { type: "employer", id: "x" }, status: "open", kind: "cron_silent" }, "alerts_"],
] as const)("a page of alerts by %j is read in order, through an index", async (filter, index) => {
  const plan = await runInDurableObject(watch(), (_watch, { storage }) => {
    let steps: string[] = [];
    const explaining = {
      exec: (query: string, ...values: SqlStorageValue[]) => {
        steps = storage.sql
          .exec(`EXPLAIN QUERY PLAN ${query}`, ...values)
          .toArray()
          .map(({ detail }) => String(detail));
        return storage.sql.exec(query, ...values);
      },
    };
    new AlertStore(explaining as unknown as SqlStorage).list(filter, null, 20);
    return steps;
  });
  expect(plan).toEqual([expect.stringMatching(new RegExp(`^SEARCH a .*${index}`))]);
});
