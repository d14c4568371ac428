/** Bindings that never answer: a hanging call is treated as a failed one, and no response is held for ever. */
import { runDurableObjectAlarm } from "cloudflare:test";
import { afterEach, describe, expect, it, vi } from "vitest";
import type { Bindings } from "../../../src/bindings.ts";
import { bounded } from "../../../src/bounded.ts";
import { REQUEST_LIMITS } from "../../../src/deadline.ts";
import { RESERVATION_MS } from "../../../src/gate/admission.ts";
import { ConnectionGate } from "../../../src/gate/connection-gate.ts";
import { connectionSenders } from "../../../src/inbound/inbound-routes.ts";
import {
  bindings,
  createApiKey,
  createBoundConnection,
  createConnection,
  createEmployer,
  gateOf,
  inboundPath,
  post,
  report,
  send,
  signedRequest,
} from "../../support/gateway.ts";
import { afterAMinute, expectNothingStored, expectUnavailable, filesOf } from "../../support/intake.ts";
import { hanging, intercepted, outage, watched, without } from "../../support/interception.ts";

const LARGE = "x".repeat(100_000);

afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

const FAILURES: [string, (call: string, times?: number) => Bindings][] = [
  ["throws", (call, times) => without(call, times)],
  ["hangs", (call, times) => hanging(call, { ...(times !== undefined && { times }) })],
];

describe.each(FAILURES)("a database that %s", (_, failing) => {
  it("leaves a cached connection served by its expired row, and is not asked again for each request", async () => {
    const connection = await createBoundConnection();
    await post(connection);
    afterAMinute();
    expect((await post(connection, report(), {}, failing("DB"))).status).toBe(202);
    const { calls, using } = watched();
    expect((await post(connection, report(), {}, using)).status).toBe(202);
    expect(calls.filter((call) => call.startsWith("DB."))).toEqual([]);
    expect(await filesOf(connection)).toHaveLength(3);
  });

  it("makes an unknown connection's report a 503, which succeeds afterwards", async () => {
    const connection = await createBoundConnection();
    connectionSenders.clear();
    const request = await signedRequest(connection);
    expectUnavailable(await send(inboundPath(connection), request, failing("DB")));
    await expectNothingStored(connection);
    expect((await send(inboundPath(connection), request)).status).toBe(202);
  });

  it("leads to no final refusal", async () => {
    const connection = await createBoundConnection();
    await post(connection);
    expectUnavailable(await post({ ...connection, secret: "another" }, report(), {}, failing("DB")));
  });

  it("makes a report whose employer must be looked up a 503", async () => {
    const employer = await createEmployer();
    const connection = await createConnection();
    await post(connection, "{}");
    const body = report({ employer_fein: employer.fein });
    expectUnavailable(await post(connection, body, {}, failing("DB")));
    await expectNothingStored(connection);
  });
});

describe.each(FAILURES)("a gate that %s", (_, failing) => {
  it("for one call, makes one file of a report", async () => {
    const connection = await createBoundConnection();
    const answer = await post(connection, report(), {}, failing("CONNECTION_GATE.admit", 1));
    expect([answer.status, answer.json.duplicate]).toEqual([202, false]);
    expect(await filesOf(connection)).toEqual([answer.json.file_id]);
  });

  it("for good, makes a report a 503, and stores nothing", async () => {
    const connection = await createBoundConnection();
    expectUnavailable(await post(connection, report(), {}, failing("CONNECTION_GATE")));
    await expectNothingStored(connection);
  });

  it("while it counts a refusal, changes nothing about the refusal", async () => {
    const connection = await createBoundConnection();
    const answer = await post(connection, "{}", {}, failing("CONNECTION_GATE.charge"));
    expect(answer.json.error).toBe("Missing or empty employees array");
  });

  it("while it commits a large report, makes one file of it in the end", async () => {
    const connection = await createBoundConnection();
    const request = await signedRequest(connection, report({ note: LARGE }));
    expectUnavailable(await send(inboundPath(connection), request, failing("CONNECTION_GATE.commit")));
    expect((await send(inboundPath(connection), request)).status).toBe(202);
    expect(await filesOf(connection)).toHaveLength(1);
  });
});

it("a gate that stores a report and then hangs answers 503, and the repeated request finds the one file", async () => {
  const connection = await createBoundConnection();
  const request = await signedRequest(connection);
  const using = hanging("CONNECTION_GATE.admit", { took: true });
  expectUnavailable(await send(inboundPath(connection), request, using));
  const files = await filesOf(connection);
  expect(files).toHaveLength(1);
  const again = await send(inboundPath(connection), request);
  expect(again.json).toMatchObject({ file_id: files[0], duplicate: true });
});

describe("a gate whose object is reset", () => {
  type Inside = { ctx: DurableObjectState };
  const reset = (method: "admit" | "commit") =>
    vi.spyOn(ConnectionGate.prototype, method).mockImplementationOnce(function (this: ConnectionGate) {
      (this as unknown as Inside).ctx.abort("the object was reset by a test");
      throw new Error("an object that is reset goes on");
    });

  it("during its first call is asked again by another stub, and makes one file", async () => {
    const connection = await createBoundConnection();
    await post(connection);
    reset("admit");
    const answer = await post(connection);
    expect([answer.status, answer.json.duplicate]).toEqual([202, false]);
    expect(await filesOf(connection)).toHaveLength(2);
  });

  it("while it commits a large report is asked again by another stub", async () => {
    const connection = await createBoundConnection();
    reset("commit");
    const answer = await post(connection, report({ note: LARGE }));
    expect(answer.status).toBe(202);
    expect(await filesOf(connection)).toEqual([answer.json.file_id]);
  });
});

it("a bug inside a gate is a 500, is not asked again, and has its stack in the log", async () => {
  const connection = await createBoundConnection();
  await post(connection);
  const written: string[] = [];
  vi.spyOn(console, "error").mockImplementation((line) => void written.push(String(line)));
  const admit = vi.spyOn(ConnectionGate.prototype, "admit").mockImplementation(() => {
    throw new Error("a bug in the gate");
  });
  const answer = await post(connection);
  expect(admit).toHaveBeenCalledTimes(1);
  expect(answer).toMatchObject({ status: 500, json: { error: "Internal error", code: "INTERNAL_ERROR" } });
  expect(JSON.stringify(answer.json)).not.toContain("bug in the gate");
  const lines = written.map((line) => JSON.parse(line));
  expect(lines).toContainEqual(
    expect.objectContaining({
      message: "failed with an unexpected error",
      stack: expect.stringContaining("a bug in the gate"),
    }),
  );
  expect(written.join()).not.toContain("failed to call a gate");
});

describe.each(FAILURES)("an archive that %s", (_, failing) => {
  it("makes a large report a 503, and the same request then makes one file", async () => {
    const connection = await createBoundConnection();
    const request = await signedRequest(connection, report({ note: LARGE }));
    expectUnavailable(await send(inboundPath(connection), request, failing("ARCHIVE")));
    await expectNothingStored(connection);
    const answer = await send(inboundPath(connection), request);
    expect(answer.status).toBe(202);
    expect(await filesOf(connection)).toEqual([answer.json.file_id]);
  });

  it("makes a report that is put as a stream a 503", async () => {
    const connection = await createBoundConnection();
    const body = report({ note: "x".repeat(1_200_000) });
    expectUnavailable(await post(connection, body, {}, failing("ARCHIVE.put")));
    await expectNothingStored(connection);
  });

  it("leaves small reports alone", async () => {
    const connection = await createBoundConnection();
    expect((await post(connection, report(), {}, failing("ARCHIVE"))).status).toBe(202);
  });
});

describe("a payload that arrives after its deadline", () => {
  /** Bindings whose put goes through when `arrive` is called. `place` is where it goes. */
  function latePut(deadlineMs = 400) {
    const { promise, resolve: arrive } = Promise.withResolvers<void>();
    const places: string[] = [];
    const late = intercepted(async (call, proceed, args) => {
      if (call !== "ARCHIVE.put") return proceed();
      places.push(String(args[0]));
      await promise;
      return proceed();
    });
    const limits = { ...REQUEST_LIMITS, r2Ms: deadlineMs };
    return { using: bounded(late, limits), places, arrive };
  }

  it("stays while its reservation exists, for the repeated request to commit", async () => {
    const connection = await createBoundConnection();
    const request = await signedRequest(connection, report({ note: LARGE }));
    const { using, places, arrive } = latePut();
    setTimeout(arrive, 700);
    expectUnavailable(await send(inboundPath(connection), request, using));
    expect(await bindings.ARCHIVE.head(places[0] ?? "")).not.toBeNull();
    const answer = await send(inboundPath(connection), request);
    expect([answer.status, await filesOf(connection)]).toEqual([202, [answer.json.file_id]]);
  });

  it.each([
    ["after its deadline", true],
    ["before its deadline", false],
  ])("is deleted if its reservation has ended, %s", async (_, late) => {
    const connection = await createBoundConnection();
    const written = vi.spyOn(console, "error");
    const { using, places, arrive } = latePut(late ? 400 : 30_000);
    const answered = post(connection, report({ note: LARGE }), {}, using);
    await vi.waitFor(() => expect(places).toHaveLength(1));
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + RESERVATION_MS + 1_000 });
    await runDurableObjectAlarm(gateOf(connection));
    const said = () => written.mock.calls.join().includes("failed to store a large payload");
    if (late) await vi.waitFor(() => expect(said()).toBe(true));
    arrive();
    expectUnavailable(await answered);
    expect(said()).toBe(late);
    expect(await bindings.ARCHIVE.head(places[0] ?? "")).toBeNull();
    await expectNothingStored(connection);
  });
});

describe.each(FAILURES)("beside the answer, what %s", (_, failing) => {
  it.each(["FILES", "REFUSALS"])("changes nothing about an acceptance: %s", async (binding) => {
    const connection = await createBoundConnection();
    expect((await post(connection, report(), {}, failing(binding))).status).toBe(202);
  });

  it("changes nothing about a refusal: REFUSALS", async () => {
    const connection = await createBoundConnection();
    const answer = await post({ ...connection, secret: "another" }, report(), {}, failing("REFUSALS"));
    expect(answer.status).toBe(401);
  });

  it.each(["FILES", "CONNECTION_GATE.wait"])("does not delay a caller that waits: %s", async (binding) => {
    const connection = await createBoundConnection();
    const startedAt = Date.now();
    const answer = await post(connection, report(), { headers: { Prefer: "wait=1" } }, failing(binding));
    expect([answer.status, answer.json.status]).toEqual([202, "queued"]);
    expect(Date.now() - startedAt).toBeLessThan(5_000);
  });
});

describe.each(FAILURES)("at the intake for bearer keys, a binding that %s", (_, failing) => {
  const body = (employerId: string) =>
    JSON.stringify({
      employer_id: employerId,
      period_start: "2026-03-01",
      period_end: "2026-03-15",
      employees: [
        { employee_id: "E1", name: "Ann", classification_code: "8810", hours_worked: 80, gross_wages: 1 },
      ],
      payroll_data: { total_payroll: 1, total_hours: 80 },
    });
  const submit = async (using: Bindings) => {
    const employer = await createEmployer();
    const key = await createApiKey();
    const headers = { Authorization: `Bearer ${key.token}`, "Content-Type": "application/json" };
    const path = "/api/v1/payroll/reports";
    return send(path, { method: "POST", headers, body: body(employer.id) }, using);
  };

  it.each(["DB", "CONNECTION_GATE"])("is a 503: %s", async (binding) => {
    expectUnavailable(await submit(failing(binding)));
  });

  it.each(["FILES", "REFUSALS", "ARCHIVE"])("changes nothing: %s", async (binding) => {
    expect((await submit(failing(binding))).status).toBe(202);
  });
});

it("a bug inside a gate is logged by the gate, with the stack that does not reach the caller", async () => {
  const written: string[] = [];
  vi.spyOn(console, "error").mockImplementation((line) => void written.push(String(line)));
  const gate = gateOf(await createBoundConnection());
  const thrown = await gate.status("no file id").catch((error: unknown) => error);
  expect(thrown).toMatchObject({ message: "not a file id", remote: true });
  const [line] = written.map((text) => JSON.parse(text));
  expect(line).toMatchObject({ message: "failed in a method of a gate", method: "status" });
  expect(line.stack).toContain("connection-gate.ts");
});

it("an error of the platform that is no outage is not repeated", async () => {
  const connection = await createBoundConnection();
  let admits = 0;
  const using = intercepted((call, proceed) => {
    if (call !== "CONNECTION_GATE.admit") return proceed();
    admits++;
    return Promise.reject(admits === 1 ? Object.assign(new Error("odd"), { remote: true }) : outage("never"));
  });
  expect((await post(connection, report(), {}, using)).status).toBe(500);
  expect(admits).toBe(1);
});
