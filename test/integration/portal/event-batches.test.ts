import { afterEach, describe, expect, it, vi } from "vitest";
import { type Json, portal } from "../../support/gateway.ts";
import { intercepted } from "../../support/interception.ts";

afterEach(() => {
  vi.restoreAllMocks();
});

const OWNER = { owner_type: "payroll_company", owner_id: "acme" };
const good = (fields: Json = {}) => ({
  ...OWNER,
  id: `evt_${crypto.randomUUID()}`,
  type: "policy.created",
  data: { policyId: "WC1" },
  ...fields,
});
const unknownFile = () => ({
  id: `evt_${crypto.randomUUID()}`,
  type: "file.processed",
  data: { fileId: "FILE_1" },
});
const batch = (events: Json[], using?: Parameters<typeof portal>[4]) =>
  portal("POST", "/events", { events }, "portal", using);
const statuses = ({ json }: { json: Json }) => json.results.map(({ status }: Json) => status ?? 202);

/** D1 that is away from its `from`th batch on. */
const awayFrom = (from: number) => {
  let batches = 0;
  return intercepted((call, proceed) =>
    call === "DB.batch" && ++batches >= from
      ? Promise.reject(new Error("D1_ERROR: Network connection lost."))
      : proceed(),
  );
};

describe("a batch of events", () => {
  it("is a 202 if all were accepted, and says so", async () => {
    const answer = await batch([good(), good()]);
    expect([answer.status, answer.json.success, statuses(answer)]).toEqual([202, true, [202, 202]]);
  });

  it("is a 202 if some were accepted, and says which", async () => {
    const [first, second, third] = [good(), unknownFile(), good({ owner_id: undefined })];
    const answer = await batch([first, second, third]);
    expect([answer.status, answer.json.success, statuses(answer)]).toEqual([202, false, [202, 404, 400]]);
    expect(answer.json.results.map(({ id }: Json) => id)).toEqual([first.id, second.id, third.id]);
  });

  it("has the first failure's status if all failed, and the result of each", async () => {
    const stored = good();
    await portal("POST", "/events", stored);
    const changed = { ...stored, data: { policyId: "WC2" } };
    for (const [events, status, error] of [
      [[unknownFile(), changed], 404, "file_not_found"],
      [[changed, unknownFile()], 409, "event_id_reused"],
      [[good({ owner_id: undefined })], 400, "owner_id_required"],
    ] as const) {
      const answer = await batch([...events]);
      expect(answer).toMatchObject({ status, json: { error, success: false } });
      expect(answer.json.results).toHaveLength(events.length);
      expect(answer.json.request_id).toBe(answer.headers.get("X-Request-Id"));
    }
  });

  it("is a 503 if all failed and the database was unavailable", async () => {
    const answer = await batch([unknownFile(), good(), good()], awayFrom(1));
    expect(answer).toMatchObject({ status: 503, json: { error: "Service unavailable" } });
    expect(Number(answer.headers.get("Retry-After"))).toBeGreaterThan(0);
  });

  it("says which were accepted if the database failed in between; sent again, each counts once", async () => {
    vi.spyOn(console, "error");
    const events = [good(), good(), good()];
    const cut = await batch(events, awayFrom(2));
    expect([cut.status, cut.json.success, statuses(cut)]).toEqual([202, false, [202, 503, 503]]);
    const again = await batch(events);
    expect(again.json.results.map(({ duplicate }: Json) => duplicate)).toEqual([true, false, false]);
  });

  it.each([
    [{ colour: "red" }, "colour"],
    [{ metadata: { source: "x", environment: "sandbox" } }, "metadata.environment"],
  ])("refuses unknown fields of events by name: %j", async (fields, path) => {
    expect(await portal("POST", "/events", good(fields))).toMatchObject({
      status: 400,
      json: { details: { [path]: "Unknown field" } },
    });
    expect((await batch([good(), good(fields)])).json.details).toEqual({
      [`events[1].${path}`]: "Unknown field",
    });
  });
});
