/** A request with two faults gets the answer of the earlier check. Every pair of steps 1 to 13 that can meet. */
import { expect, it } from "vitest";
import {
  type Answer,
  bindings,
  type Connection,
  createConnection,
  createEmployer,
  inboundPath,
  type Json,
  report,
  send,
  sign,
} from "../../support/gateway.ts";
import { exhaust, expectNothingStored, rateHeadersOf, setStatus, softDelete } from "../../support/intake.ts";

const STEPS = {
  1: "Invalid connection_id",
  2: "Missing required headers",
  3: "Request timestamp expired",
  4: "Unsupported content encoding",
  5: "Payload too large",
  6: "Webhook connection not found",
  7: "Connection is not a webhook type",
  8: "Webhook connection is inactive",
  9: "Invalid webhook signature",
  10: "Invalid JSON body",
  11: "Missing or empty employees array",
  12: "Could not resolve employer",
  13: "Rate Limit Exceeded",
} as const;
type Step = keyof typeof STEPS;

const steps = Object.keys(STEPS).map(Number) as Step[];
const pairs = steps.flatMap((first) =>
  steps.filter((second) => second > first).map((second) => ({ first, second, error: STEPS[first] })),
);

/** A request that is wrong in all these ways at once, and right in all others. */
async function sendWith(faults: ReadonlySet<Step>): Promise<{ answer: Answer; connection: Connection }> {
  const fields: Json = { employer_id: (await createEmployer()).id };
  if (faults.has(7)) fields.type = "sftp";
  if (faults.has(13)) fields.plan = "sandbox";
  const connection = await createConnection(fields);
  if (faults.has(13)) await exhaust(connection);
  if (faults.has(8)) await setStatus(connection, "inactive");
  if (faults.has(6)) await softDelete(connection);

  let body = report({
    ...(faults.has(11) && { employees: [] }),
    ...(faults.has(12) && { employer_id: (await createEmployer()).id }),
  });
  if (faults.has(10)) body = body.slice(0, -1);
  const timestamp = String(Date.now() - (faults.has(3) ? 400_000 : 0));
  const headers = new Headers({ "X-Webhook-Timestamp": timestamp });
  if (!faults.has(2)) {
    const secret = faults.has(9) ? "another" : connection.secret;
    headers.set("X-Webhook-Signature", await sign(secret, timestamp, body));
  }
  if (faults.has(4)) headers.set("Content-Encoding", "br");
  if (faults.has(5)) headers.set("Content-Length", "99999999");
  const path = faults.has(1) ? inboundPath({ id: `${connection.id}0` }) : inboundPath(connection);
  return { answer: await send(path, { method: "POST", headers, body }), connection };
}

it("is a valid test: the request without faults is accepted", async () => {
  expect((await sendWith(new Set())).answer.status).toBe(202);
});

it.each(pairs)("answers step $first before step $second: $error", async ({ first, second, error }) => {
  const { answer, connection } = await sendWith(new Set([first, second]));
  expect(answer.json.error).toBe(error);
  expect(rateHeadersOf(answer).every((value) => (first > 9 ? value !== null : value === null))).toBe(true);
  await expectNothingStored(connection);
});

it("answers the first step of all when everything is wrong", async () => {
  expect((await sendWith(new Set(steps))).answer.json.error).toBe(STEPS[1]);
});

const LARGE = { ...bindings, MAX_BODY_BYTES: "1024" };

it.each([
  { what: "an inactive connection", prepare: setInactive, error: STEPS[8] },
  { what: "a wrong signature", prepare: forget, error: STEPS[5] },
])(
  "counts an undeclared body only after step 8: $what and too many bytes answer “$error”",
  async ({ prepare, error }) => {
    const connection = await prepare(
      await createConnection({ employer_id: (await createEmployer()).id, environment: "production" }),
    );
    const body = report({ note: "x".repeat(2_000) });
    const timestamp = String(Date.now());
    const headers = {
      "X-Webhook-Timestamp": timestamp,
      "X-Webhook-Signature": await sign(connection.secret, timestamp, body),
    };
    const answer = await send(inboundPath(connection), { method: "POST", headers, body }, LARGE);
    expect(answer.json.error).toBe(error);
    await expectNothingStored(connection);
  },
);

async function setInactive(connection: Connection): Promise<Connection> {
  await setStatus(connection, "inactive");
  return connection;
}

async function forget({ id }: Connection): Promise<Connection> {
  return { id, secret: "another" };
}

it("does not read the body of a request that is refused before step 9", async () => {
  const connection = await setInactive(await createConnection());
  let pulled = 0;
  const body = new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        pulled++;
        controller.enqueue(new Uint8Array(1_024));
      },
    },
    { highWaterMark: 0 },
  );
  const headers = { "X-Webhook-Timestamp": String(Date.now()), "X-Webhook-Signature": "0".repeat(64) };
  const answer = await send(inboundPath(connection), { method: "POST", headers, body });
  expect(answer.json.error).toBe(STEPS[8]);
  expect(pulled).toBe(0);
});
