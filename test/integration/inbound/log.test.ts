/** Logs: one line per request, with ids and outcomes only. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import {
  bindings,
  createBoundConnection,
  createConnection,
  createEmployer,
  filesCreator,
  inboundPath,
  type Json,
  portal,
  post,
  report,
  send,
  signedRequest,
} from "../../support/gateway.ts";
import { exhaust, rotate, setStatus } from "../../support/intake.ts";
import { intercepted, without } from "../../support/interception.ts";

let written: string[] = [];

beforeEach(() => {
  written = [];
  for (const method of ["log", "info", "warn", "error", "debug", "trace"] as const)
    vi.spyOn(console, method).mockImplementation((...args) => void written.push(args.map(String).join(" ")));
});
afterEach(() => {
  vi.restoreAllMocks();
});

const lines = (): Json[] => written.map((line) => JSON.parse(line));
const requestLines = () => lines().filter((line) => line.message === "request");

const ROUTE = "/api/v1/webhook/inbound/:connection_id";

describe("a request", () => {
  it("that is accepted has one line, with its ids, route, outcome, status and time", async () => {
    const connection = await createBoundConnection();
    written = [];
    const answer = await post(connection, report(), { headers: { "X-Request-Id": "trace-1" } });
    expect(requestLines()).toEqual([
      {
        message: "request",
        request_id: answer.headers.get("X-Audit1-Request-Id"),
        caller_request_id: "trace-1",
        method: "POST",
        route: ROUTE,
        status: 202,
        ms: expect.any(Number),
        outcome: "accepted",
        connection_id: connection.id,
        file_id: answer.json.file_id,
        file_status: "queued",
      },
    ]);
    expect(requestLines()[0]?.ms).toBeGreaterThanOrEqual(0);
  });

  it("that repeats another says so, and names the first file", async () => {
    const connection = await createBoundConnection();
    const request = await signedRequest(connection);
    const first = await send(inboundPath(connection), request);
    written = [];
    await send(inboundPath(connection), request);
    expect(requestLines()).toEqual([
      expect.objectContaining({ outcome: "duplicate", file_id: first.json.file_id, status: 202 }),
    ]);
  });

  it.each<[string, () => Promise<{ answer: Json; id?: string | null }>, string, number, string]>([
    [
      "with a malformed id",
      async () => ({ answer: await post({ id: "nothing", secret: "s" }) }),
      "invalid_connection_id",
      400,
      ROUTE,
    ],
    [
      "for an unknown connection",
      async () => ({ answer: await post({ id: "d".repeat(24), secret: "s" }), id: null }),
      "webhook_connection_not_found",
      404,
      ROUTE,
    ],
    [
      "for an inactive connection",
      async () => {
        const connection = await createBoundConnection();
        await setStatus(connection, "inactive");
        written = [];
        return { answer: await post(connection), id: connection.id };
      },
      "connection_inactive",
      403,
      ROUTE,
    ],
    [
      "with a wrong signature",
      async () => {
        const connection = await createBoundConnection();
        written = [];
        return { answer: await post({ ...connection, secret: "another" }), id: connection.id };
      },
      "invalid_signature",
      401,
      ROUTE,
    ],
    [
      "without employees",
      async () => {
        const connection = await createBoundConnection();
        written = [];
        return { answer: await post(connection, "{}"), id: connection.id };
      },
      "no_employees",
      400,
      ROUTE,
    ],
    [
      "over its plan",
      async () => {
        const connection = await createBoundConnection({ plan: "sandbox" });
        await exhaust(connection);
        written = [];
        return { answer: await post(connection), id: connection.id };
      },
      "rate_limited",
      429,
      ROUTE,
    ],
    [
      "with the gate unavailable",
      async () => {
        const connection = await createBoundConnection();
        written = [];
        return {
          answer: await post(connection, report(), {}, without("CONNECTION_GATE")),
          id: connection.id,
        };
      },
      "acceptance_unknown",
      503,
      ROUTE,
    ],
    [
      "with another method",
      async () => ({ answer: await send(inboundPath({ id: "d".repeat(24) })) }),
      "method_not_allowed",
      405,
      "/*",
    ],
    ["to nowhere", async () => ({ answer: await send("/nowhere?token=x") }), "endpoint_not_found", 404, "/*"],
  ])("%s has one line with its outcome", async (_, ask, outcome, status, route) => {
    const { answer, id } = await ask();
    expect(requestLines()).toEqual([
      expect.objectContaining({
        outcome,
        status,
        route,
        request_id: answer.json.request_id,
        ...(id !== undefined && { connection_id: id }),
      }),
    ]);
  });

  it("that hits a bug has its line, and the error a second one under the same id", async () => {
    const connection = await createBoundConnection();
    written = [];
    const using = intercepted(async (call, proceed) => {
      if (call.startsWith("DB.")) throw new Error("a bug");
      return proceed();
    });
    const answer = await post(connection, report(), {}, using);
    expect(requestLines()).toEqual([expect.objectContaining({ outcome: "internal", status: 500 })]);
    expect(lines()).toContainEqual(
      expect.objectContaining({
        message: "failed with an unexpected error",
        request_id: answer.json.request_id,
        error: "Error: a bug",
      }),
    );
  });
});

it("no line of a whole run holds a piece of a body, a secret, a signature, a key or a name", async () => {
  const MARK = "Zyzzyx";
  const employee = {
    first_name: `${MARK}First`,
    last_name: `${MARK}Last`,
    class_code: `${MARK}8810`,
    gross_wages: 918273,
  };
  const marked = (fields: Json = {}) =>
    report({ note: MARK, policy_number: MARK, employees: [employee], ...fields });
  const owners = [{ owner_type: "payroll_company", owner_id: "acme" }];
  await portal("PUT", "/employers/EMP_marked", { fein: "91-8273645", name: MARK, owners });
  const connection = await createConnection({ employer_id: "EMP_marked", description: MARK });
  const unbound = await createConnection();
  const headers = { "Idempotency-Key": `${MARK}-key`, Prefer: `wait=5, ${MARK}` };
  const secrets = [connection.secret, unbound.secret];
  const signatures: string[] = [];
  const statuses: number[] = [];
  const ask = async (
    target: { id: string; secret: string },
    body: string,
    more: Json = {},
    using = bindings,
  ) => {
    const request = await signedRequest(target, body, more);
    signatures.push(new Headers(request.headers).get("X-Webhook-Signature") ?? "");
    statuses.push((await send(`${inboundPath(target)}?${MARK}=1`, request, using)).status);
  };

  await filesCreator.script({ connection: connection.id, status: 422, body: `{"error":"${MARK}"}` });
  await ask(connection, marked(), { headers: { Prefer: "wait=5" } });
  await ask(connection, marked());
  await ask(connection, marked(), { headers });
  await ask(connection, marked({ other: 1 }), { headers });
  await ask(connection, marked({ employer_fein: `${MARK}-fein`, employer_id: `${MARK} id` }));
  await ask(connection, marked({ employer_id: (await createEmployer()).id }));
  await ask(unbound, marked({ employer_fein: "91-8273645" }));
  await ask(unbound, marked({ employer_fein: "91-0000000" }));
  await ask(connection, marked().slice(0, -1));
  await ask(connection, `"${MARK}"`);
  await ask(connection, JSON.stringify({ [MARK]: MARK }));
  await ask({ ...connection, secret: `${MARK}-secret` }, marked());
  await ask({ ...connection, id: `${MARK}-id` }, marked());
  await ask(connection, marked(), { timestamp: MARK });
  await ask(connection, marked(), { headers: { "Content-Encoding": MARK, "Content-Type": MARK } });
  await ask(connection, marked(), { headers: { "X-Request-Id": `${MARK} no id`, "CF-Connecting-IP": MARK } });
  await ask(connection, marked({ note: MARK.repeat(100_000) }));
  await ask(connection, `${marked({ note: MARK.repeat(100_000) })}${MARK}`);
  for (const binding of ["DB", "CONNECTION_GATE", "ARCHIVE", "FILES", "REFUSALS"]) {
    await ask(connection, marked({ note: MARK.repeat(20_000) }), {}, without(binding));
    await ask({ ...unbound, secret: "another" }, marked({ employer_id: MARK }), {}, without(binding));
  }
  secrets.push((await rotate(connection, 0)).secret);
  await ask(connection, marked());
  await filesCreator.script({ connection: connection.id, status: 500, body: MARK });
  await ask({ id: connection.id, secret: secrets[2] ?? "" }, marked(), { headers: { Prefer: "wait=1" } });

  expect(new Set(statuses)).toEqual(new Set([200, 202, 400, 401, 404, 409, 415, 502, 503]));
  expect(requestLines().filter((line) => line.route === ROUTE)).toHaveLength(statuses.length);
  const all = written.join("\n");
  for (const forbidden of [MARK, "918273", "91-8273645", "whsec_", ...secrets, ...signatures])
    expect(all).not.toContain(forbidden);
});
