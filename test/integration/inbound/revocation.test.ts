/**
 * A change in the portal takes effect with the very next request, whether it revokes or grants, whatever this isolate has
 * cached. Every test warms the cache first.
 */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { nextVersion } from "../../../src/db/gates.ts";
import { insertConnection } from "../../../src/db/managed-connections.ts";
import { connectionSenders } from "../../../src/inbound/inbound-routes.ts";
import {
  bindings,
  type Connection,
  createBoundConnection,
  gateOf,
  inboundPath,
  post,
  report,
  send,
  signedRequest,
} from "../../support/gateway.ts";
import {
  auditRowInTests,
  expectNothingStored,
  leaveNoEvidence,
  rotate,
  rowOf,
  setStatus,
  snapshotOfConnection,
  softDelete,
} from "../../support/intake.ts";
import { watched, without } from "../../support/interception.ts";

beforeEach(() => {
  leaveNoEvidence();
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() });
});
afterEach(() => {
  vi.useRealTimers();
});

async function warmConnection() {
  const connection = await createBoundConnection();
  expect((await post(connection)).status).toBe(202);
  return connection;
}

async function expectAdmittedOnly(connection: Connection, count: number) {
  expect(await gateOf(connection).list(null, 10)).toHaveLength(count);
}

describe("a rotated secret", () => {
  it("works at once, and the old one with it for the overlap", async () => {
    const old = await warmConnection();
    const next = await rotate(old, 3_600);
    expect((await post(next)).status).toBe(202);
    expect((await post(old)).status).toBe(202);
  });

  it("replaces the old one from the very next request when there is no overlap", async () => {
    const old = await warmConnection();
    const next = await rotate(old, 0);
    expect((await post(old)).json.error).toBe("Invalid webhook signature");
    expect((await post(next)).status).toBe(202);
    expect((await post(old)).json.error).toBe("Invalid webhook signature");
    await expectAdmittedOnly(old, 2);
  });

  it("replaces the old one when the overlap ends, although the row has not changed", async () => {
    const old = await warmConnection();
    const next = await rotate(old, 60);
    vi.setSystemTime(Date.now() + 59_000);
    expect((await post(old)).status).toBe(202);
    vi.setSystemTime(Date.now() + 2_000);
    expect((await post(old)).json.error).toBe("Invalid webhook signature");
    expect((await post(next)).status).toBe(202);
  });

  it("may be rotated again: all three work within the overlap, and only the newest after it", async () => {
    const first = await warmConnection();
    const second = await rotate(first, 3_600);
    const third = await rotate(second, 3_600);
    for (const secret of [first, second, third]) expect((await post(secret)).status).toBe(202);
    const fourth = await rotate(third, 0);
    for (const secret of [first, second, third]) expect((await post(secret)).status).toBe(401);
    expect((await post(fourth)).status).toBe(202);
  });

  it("is not repeatable under the old secret: a request accepted before the rotation is refused after it", async () => {
    const connection = await warmConnection();
    const request = await signedRequest(connection);
    expect((await send(inboundPath(connection), request)).status).toBe(202);
    await rotate(connection, 0);
    expect((await send(inboundPath(connection), request)).json.error).toBe("Invalid webhook signature");
  });
});

describe("a deactivated connection", () => {
  it("is refused from the very next request, and works again from the one after its activation", async () => {
    const connection = await warmConnection();
    await setStatus(connection, "inactive");
    expect((await post(connection)).json.error).toBe("Webhook connection is inactive");
    expect((await post(connection)).json.error).toBe("Webhook connection is inactive");
    await expectAdmittedOnly(connection, 1);
    await setStatus(connection, "active");
    expect((await post(connection)).status).toBe(202);
    await expectAdmittedOnly(connection, 2);
  });

  it("is refused before its signature is checked: a caller without the secret learns that it is inactive, as the table says", async () => {
    const connection = await warmConnection();
    await setStatus(connection, "inactive");
    expect((await post({ ...connection, secret: "another" })).json.error).toBe(
      "Webhook connection is inactive",
    );
  });
});

describe("a deleted connection", () => {
  it("is unknown from the very next request", async () => {
    const connection = await warmConnection();
    await softDelete(connection);
    expect((await post(connection)).json.error).toBe("Webhook connection not found");
    await expectAdmittedOnly(connection, 1);
  });
});

describe("a change that only the gate knows", () => {
  /** As after a change that neither the cache nor the database shows yet. */
  async function tellGateAlone(connection: Connection) {
    const snapshot = await snapshotOfConnection(connection);
    await gateOf(connection).refresh({ ...snapshot, version: nextVersion(snapshot.version, Date.now()) });
  }

  it("makes a warm isolate answer 503, because the change is unknown", async () => {
    const connection = await warmConnection();
    await tellGateAlone(connection);
    const answer = await post(connection);
    expect(answer.status).toBe(503);
    expect(answer.headers.get("Retry-After")).toBe("1");
    await expectAdmittedOnly(connection, 1);
  });

  it("keeps an expired row from being used when the database is unavailable", async () => {
    const connection = await warmConnection();
    await tellGateAlone(connection);
    vi.setSystemTime(Date.now() + 61_000);
    expect((await post(connection, report(), {}, without("DB"))).status).toBe(503);
    await expectAdmittedOnly(connection, 1);
  });

  it("makes a cold isolate answer 503, too", async () => {
    const connection = await createBoundConnection();
    await tellGateAlone(connection);
    connectionSenders.clear();
    expect((await post(connection)).status).toBe(503);
    await expectNothingStored(connection);
  });
});

describe("a connection that was just created", () => {
  it("works although its id was refused a moment ago", async () => {
    const connection = await createBoundConnection();
    const row = await rowOf(connection);
    await bindings.DB.prepare("DELETE FROM connections WHERE id = ?").bind(connection.id).run();
    expect((await post(connection)).json.error).toBe("Webhook connection not found");
    await insertConnection(bindings.DB, row, auditRowInTests(row), null);
    expect((await post(connection)).status).toBe(202);
  });

  it("works although a wrong signature was refused a moment ago, and one rotated since works as well", async () => {
    const connection = await createBoundConnection();
    expect((await post({ ...connection, secret: "another" })).status).toBe(401);
    const next = await rotate(connection, 0);
    expect((await post(next)).status).toBe(202);
  });
});

describe("refusals on a cached row", () => {
  it.each([
    { what: "a wrong signature", spoil: async (c: Connection) => ({ ...c, secret: "another" }), status: 401 },
    {
      what: "an unknown connection",
      spoil: async (c: Connection) => ({ ...c, id: "f".repeat(24) }),
      status: 404,
    },
  ])("are confirmed by the primary once per request: $what", async ({ spoil, status }) => {
    const spoiled = await spoil(await warmConnection());
    await post(spoiled);
    vi.setSystemTime(Date.now() + 1_000);
    const { calls, using } = watched();
    expect((await post(spoiled, report(), {}, using)).status).toBe(status);
    expect(calls.filter((call) => call.startsWith("DB."))).toHaveLength(1);
  });

  it("share one confirmation when they arrive together", async () => {
    const connection = await warmConnection();
    vi.setSystemTime(Date.now() + 5_000);
    const { calls, using } = watched();
    const wrong = { ...connection, secret: "another" };
    const answers = await Promise.all(Array.from({ length: 10 }, () => post(wrong, report(), {}, using)));
    expect(new Set(answers.map((answer) => answer.status))).toEqual(new Set([401]));
    expect(calls.filter((call) => call.startsWith("DB."))).toHaveLength(1);
  });
});
