/** Bodies of management endpoints take from the isolate's budget, and leave half of it to reports. */
import { afterEach, describe, expect, it, vi } from "vitest";
import { StreamedBody } from "../../../src/http/body.ts";
import { BODY_BUDGET_BYTES, BodyBudget, type BodyKind, bodyBudget } from "../../../src/http/body-budget.ts";
import { importEmployers } from "../../../src/portal/employers/employer-import.ts";
import { bindings, createBoundConnection, post, report, send } from "../../support/gateway.ts";
import { intercepted } from "../../support/interception.ts";

const KIB = 1_024;
const MIB = 1_024 ** 2;
const HALF = BODY_BUDGET_BYTES / 2;
const CLIENT = { "X-Client-ID": "portal", "X-Client-Secret": "portal-secret" };

/** Whether a body of this size and kind would be taken without waiting. */
function fits(budget: BodyBudget, bytes: number, kind: BodyKind): boolean {
  const share = budget.open(undefined, kind);
  const waits = share.acquire(bytes);
  share.close();
  return waits === undefined;
}

afterEach(() => {
  vi.useRealTimers();
  expect(fits(bodyBudget, BODY_BUDGET_BYTES, "report")).toBe(true);
});

describe("the budget", () => {
  it("gives management bodies at most half, and reports the rest", () => {
    const budget = new BodyBudget(8 * MIB);
    const management = budget.open(undefined, "management");
    expect(management.acquire(4 * MIB)).toBeUndefined();
    expect(fits(budget, 300 * KIB, "management")).toBe(false);
    expect(fits(budget, 4 * MIB, "report")).toBe(true);
    expect(fits(budget, 4 * MIB + 1, "report")).toBe(false);
    management.close();
    expect(fits(budget, 8 * MIB, "report")).toBe(true);
    expect(fits(budget, 4 * MIB, "management")).toBe(true);
    expect(fits(budget, 4 * MIB + 1, "management")).toBe(false);
  });

  it("keeps its half for reports even while a management body goes past the other", async () => {
    const budget = new BodyBudget(8 * MIB);
    const [one, other] = [budget.open(undefined, "management"), budget.open(undefined, "management")];
    one.acquire(4 * MIB);
    await other.acquire(4 * MIB);
    expect(fits(budget, 4 * MIB, "report")).toBe(true);
    one.close();
    other.close();
    expect(fits(budget, 8 * MIB, "report")).toBe(true);
  });

  it("admits small management bodies beside full reports, so that nobody is locked out", () => {
    const budget = new BodyBudget(8 * MIB);
    const reports = budget.open();
    reports.acquire(8 * MIB);
    expect(fits(budget, 64 * KIB, "management")).toBe(true);
    expect(fits(budget, 300 * KIB, "management")).toBe(false);
    reports.close();
  });

  it("does not cut off a slow report for a waiting management body", async () => {
    const budget = new BodyBudget(4 * MIB);
    const turnedAway: string[] = [];
    const slow = budget.open(() => turnedAway.push("report"));
    slow.acquire(2 * MIB);
    const holders = [1, 2].map((n) => budget.open(() => turnedAway.push(`management ${n}`), "management"));
    for (const holder of holders) holder.acquire(MIB);
    const waiting = [1, 2].map(() => budget.open(undefined, "management"));
    await Promise.all(waiting.map((share) => share.acquire(MIB)));
    expect(turnedAway).not.toContain("report");
    for (const share of [slow, ...holders, ...waiting]) share.close();
    expect(fits(budget, 4 * MIB, "report")).toBe(true);
  });
});

describe("a management body", () => {
  it("is held until the response to its request, and not longer", async () => {
    const body = JSON.stringify({
      events: Array.from({ length: 20 }, (_, i) => event(i, "x".repeat(200 * KIB))),
    });
    const held: boolean[] = [];
    const using = intercepted((call, proceed) => {
      if (call === "DB.batch") held.push(!fits(bodyBudget, HALF, "management"));
      return proceed();
    });
    const answer = await send("/api/v1/events", { method: "POST", headers: json(), body }, using);
    expect(answer.status).toBe(202);
    expect(new Set(held)).toEqual(new Set([true]));
    expect(fits(bodyBudget, HALF, "management")).toBe(true);
  });

  it("is 503 when it does not arrive within 30 seconds, and holds nothing afterwards", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    const body = new ReadableStream<Uint8Array>({
      start: (controller) => controller.enqueue(new TextEncoder().encode('{"name":')),
    });
    const answering = send("/api/v1/employers/EMP_SLOW", { method: "PUT", headers: json(), body });
    await vi.waitFor(() => expect(vi.getTimerCount()).toBeGreaterThan(0), { timeout: 5_000 });
    await vi.advanceTimersByTimeAsync(30_000);
    const answer = await answering;
    expect(answer).toMatchObject({ status: 503, json: { error: "Service unavailable" } });
    expect(answer.headers.get("Retry-After")).toBe("1");
  });

  it("that is rejected holds nothing: too large, not JSON, of a wrong type", async () => {
    const refused = [
      { body: "x".repeat(MIB + 1), status: 413 },
      { body: "{", status: 400 },
      { body: "{}", type: "text/plain", status: 400 },
    ];
    for (const { body, type, status } of refused) {
      const answer = await send("/api/v1/webhooks", {
        method: "POST",
        headers: { ...json(), ...(type && { "Content-Type": type }) },
        body,
      });
      expect(answer.status).toBe(status);
      expect(fits(bodyBudget, HALF, "management")).toBe(true);
    }
  });
});

it("reports are accepted while management bodies hold their whole share", async () => {
  const connection = await createBoundConnection();
  const shares = Array.from({ length: 2 }, () => bodyBudget.open(undefined, "management"));
  for (const share of shares) await share.acquire(HALF);
  const answers = await Promise.all([
    post(connection),
    post(connection, report({ note: "x".repeat(2 * MIB) })),
    post(connection, report({ note: "y".repeat(2 * MIB) })),
  ]);
  expect(answers.map(({ status }) => status)).toEqual([202, 202, 202]);
  for (const share of shares) share.close();
});

describe("the import of employers", () => {
  it("holds only unprocessed bytes, and nothing afterwards", async () => {
    const budget = new BodyBudget(MIB);
    const lines = Array.from({ length: 120 }, (_, i) =>
      JSON.stringify({ id: `EMP_B${i}`, name: "Budgeted" }),
    );
    const stream = new Response(lines.join("\n")).body;
    if (stream === null) throw new Error("no body");
    const by = { actor: "client:portal", requestId: "test" };
    let heldMeanwhile = 0;
    const events = [];
    for await (const event of importEmployers(
      new StreamedBody(stream, budget, "management"),
      bindings.DB,
      by,
    )) {
      if (event.type === "progress" && !fits(budget, 512 * KIB, "management")) heldMeanwhile++;
      events.push(event);
    }
    expect(heldMeanwhile).toBe(2);
    expect(events.at(-1)).toMatchObject({ type: "end", complete: true, created: 120 });
    expect(fits(budget, 512 * KIB, "management")).toBe(true);
  });

  it("stops when its sender stops sending, and releases its share", async () => {
    const budget = new BodyBudget(MIB);
    const stream = new ReadableStream<Uint8Array>({
      start: (controller) => controller.enqueue(new Uint8Array(300 * KIB)),
    });
    const body = new StreamedBody(stream, budget, "management");
    const read = async () => {
      for await (const _ of body.pieces(50)) expect(fits(budget, 300 * KIB, "management")).toBe(false);
    };
    await expect(read()).rejects.toThrow("did not arrive in time");
    expect(fits(budget, 512 * KIB, "management")).toBe(true);
  });
});

function json(): Record<string, string> {
  return { ...CLIENT, "Content-Type": "application/json" };
}

function event(i: number, text: string) {
  return {
    id: `budget-${i}-${Date.now()}`,
    type: "policy.updated",
    owner_type: "payroll_company",
    owner_id: "acme",
    environment: "production",
    data: { text },
  };
}
