/** The cost of an acceptance: the binding calls made before its response, counted. */

import {
  createExecutionContext,
  evictDurableObject,
  runInDurableObject,
  waitOnExecutionContext,
} from "cloudflare:test";
import { beforeEach, describe, expect, it } from "vitest";
import { connectionSenders } from "../../../src/inbound/inbound-routes.ts";
import worker from "../../../src/index.ts";
import {
  BASE,
  bindings,
  type Connection,
  createBoundConnection,
  createConnection,
  createEmployer,
  inboundPath,
  post,
  report,
  signedRequest,
} from "../../support/gateway.ts";
import { setStatus } from "../../support/intake.ts";
import { watched } from "../../support/interception.ts";

const isEvidence = (call: string) => call.endsWith(".note");

/** The calls begun before the response, and all of them, without the evidence and the diagnosis that follow it. */
async function callsOf(connection: Connection, body?: string) {
  const { calls, using } = watched();
  const request = new Request(BASE + inboundPath(connection), await signedRequest(connection, body));
  const ctx = createExecutionContext();
  const response = await worker.fetch(request as Parameters<typeof worker.fetch>[0], using, ctx);
  const before = [...calls];
  await response.arrayBuffer();
  await waitOnExecutionContext(ctx);
  const others = calls.filter((call) => !isEvidence(call) && call !== "DB.batch");
  return { status: response.status, before, calls: others, evidence: calls.filter(isEvidence) };
}

beforeEach(() => connectionSenders.clear());

describe("an accepted report", () => {
  it("costs one call when the connection is known, and the wake-up after the answer", async () => {
    const connection = await createBoundConnection();
    await post(connection);
    const { status, before, calls } = await callsOf(connection);
    expect(status).toBe(202);
    expect(before).toEqual(["CONNECTION_GATE.admit"]);
    expect(calls).toEqual(["CONNECTION_GATE.admit", "FILES.sendBatch"]);
  });

  it("costs one call when it names the bound employer by FEIN and id", async () => {
    const connection = await createBoundConnection();
    await post(connection);
    const body = report({ employer_fein: connection.fein, employer_id: connection.employerId });
    expect((await callsOf(connection, body)).before).toEqual(["CONNECTION_GATE.admit"]);
  });

  it("costs one more read when the connection is not cached", async () => {
    const connection = await createBoundConnection();
    const { status, before } = await callsOf(connection);
    expect(status).toBe(202);
    expect(before).toEqual(["DB.all", "CONNECTION_GATE.admit"]);
  });

  it("costs a second call when the gate no longer knows the connection", async () => {
    const connection = await createBoundConnection();
    await post(connection);
    const gate = bindings.CONNECTION_GATE.getByName(`connection:${connection.id}`);
    await runInDurableObject(gate, (_object, { storage }) => storage.deleteAll());
    await evictDurableObject(gate);
    const { status, before } = await callsOf(connection);
    expect(status).toBe(202);
    expect(before).toEqual(["CONNECTION_GATE.admit", "CONNECTION_GATE.admit"]);
    expect((await callsOf(connection)).before).toEqual(["CONNECTION_GATE.admit"]);
  });

  it("costs two more reads when the employer is not cached either, and none once it is", async () => {
    const employer = await createEmployer();
    const connection = await createConnection();
    const body = () => report({ employer_fein: employer.fein });
    expect((await callsOf(connection, body())).before).toEqual(["DB.all", "DB.all", "CONNECTION_GATE.admit"]);
    expect((await callsOf(connection, body())).before).toEqual(["CONNECTION_GATE.admit"]);
  });

  it("costs no more reads after others sent bad signatures to its connection", async () => {
    const employer = await createEmployer();
    const connection = await createConnection();
    const body = () => report({ employer_fein: employer.fein });
    await post(connection, body());
    const forged = await callsOf({ id: connection.id, secret: "wrong" }, body());
    expect(forged.status).toBe(401);
    expect(forged.calls).toEqual(["DB.all", "REFUSALS.limit"]);
    expect((await callsOf(connection, body())).before).toEqual(["CONNECTION_GATE.admit"]);
  });

  it("costs no write to the database, ever", async () => {
    const connection = await createBoundConnection();
    const { calls } = await callsOf(connection);
    expect(calls.filter((call) => call.startsWith("DB.") && call !== "DB.all")).toEqual([]);
  });

  it("of more than 64 KiB also costs a put and a commit, and is not stored in the row", async () => {
    const connection = await createBoundConnection();
    await post(connection);
    const { status, before } = await callsOf(connection, report({ note: "x".repeat(64 * 1_024) }));
    expect(status).toBe(202);
    expect(before).toEqual(["CONNECTION_GATE.admit", "ARCHIVE.put", "CONNECTION_GATE.commit"]);
  });
});

describe("a refused request", () => {
  it("costs nothing when its headers are refused", async () => {
    const { calls, before, evidence } = await callsOf({ id: "nothing", secret: "s" });
    expect([calls, before]).toEqual([[], []]);
    expect(evidence).toEqual(["REQUEST_LOG.note"]);
  });

  it("costs one read when its connection is unknown, and the limiter after the answer", async () => {
    const { status, before, calls } = await callsOf({ id: "a".repeat(24), secret: "s" });
    expect(status).toBe(404);
    expect(before.filter((call) => call !== "REFUSALS.limit")).toEqual(["DB.all"]);
    // The second read finds out, after the answer, whether a deleted connection had the id.
    expect(calls.toSorted()).toEqual(["DB.all", "DB.all", "REFUSALS.limit"]);
  });

  it("leaves its evidence after the answer", async () => {
    const connection = await createBoundConnection();
    const { before, evidence } = await callsOf({ ...connection, secret: "another" });
    expect(before.filter(isEvidence)).toEqual([]);
    expect(evidence).toEqual(["CONNECTION_GATE.note"]);
  });

  it("never touches the gate when the signature is wrong or the connection inactive", async () => {
    const connection = await createBoundConnection();
    expect((await callsOf({ ...connection, secret: "another" })).calls.join()).not.toContain("GATE");
    await setStatus(connection, "inactive");
    connectionSenders.clear();
    expect((await callsOf(connection)).calls.join()).not.toContain("GATE");
  });

  it("never touches the archive or the queue", async () => {
    const connection = await createBoundConnection();
    for (const body of [
      "{",
      "{}",
      report({ employer_id: (await createEmployer()).id }),
      `{"a":"${"x".repeat(300_000)}"}`,
    ]) {
      const { status, calls } = await callsOf(connection, body);
      expect(status).toBeGreaterThanOrEqual(400);
      expect(calls.filter((call) => /^(ARCHIVE|FILES)/.test(call))).toEqual([]);
    }
  });
});
