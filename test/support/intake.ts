/** Puts the signed intake into states that the portal alone cannot reach, and checks that a refusal left nothing behind. */
import { expect, vi } from "vitest";
import { type AuditRow, newAuditRow } from "../../src/db/audit.ts";
import { nextVersion } from "../../src/db/gates.ts";
import {
  type ConnectionChange,
  changeConnection,
  getConnection,
  type ManagedConnection,
} from "../../src/db/managed-connections.ts";
import { evidence } from "../../src/evidence/collector.ts";
import { propagate, snapshotOf } from "../../src/gate/propagate.ts";
import type { Snapshot } from "../../src/gate/protocol.ts";
import { examinationTurns } from "../../src/inbound/diagnosis/examination.ts";
import { PLAN_LIMITS } from "../../src/model.ts";
import { type Answer, bindings, type Connection, filesCreator, gateOf, portal } from "./gateway.ts";

export async function rowOf(connection: { id: string }): Promise<ManagedConnection> {
  const row = await getConnection(bindings.DB, connection.id);
  if (row === null) throw new Error("no such connection");
  return row;
}

export async function snapshotOfConnection(connection: { id: string }): Promise<Snapshot> {
  return snapshotOf("connection", await rowOf(connection));
}

/** Changes the row and propagates the change to its gate, as the portal does. */
export async function change(connection: { id: string }, by: ConnectionChange): Promise<void> {
  const row = await rowOf(connection);
  const now = Date.now();
  const stamp = { version: nextVersion(row.version, now), updated_at: now };
  if (!(await changeConnection(bindings.DB, row, { ...by, ...stamp }, auditRowInTests(row))))
    throw new Error("the connection was changed concurrently");
  await propagate(snapshotOf("connection", { ...row, ...by, ...stamp }), bindings);
}

/** The audit row of a change that the test makes. */
export function auditRowInTests({ id }: { id: string }): AuditRow {
  return newAuditRow({
    at: Date.now(),
    actor: "system:test",
    requestId: "test",
    kind: "connection",
    what: "changed",
    subjectId: id,
    owner: null,
    before: null,
    after: null,
  });
}

export function softDelete(connection: { id: string }): Promise<void> {
  return change(connection, { deleted_at: Date.now() });
}

export async function setStatus(connection: { id: string }, status: "active" | "inactive"): Promise<void> {
  const answer = await portal("PATCH", `/connections/${connection.id}`, { status });
  if (answer.status !== 200) throw new Error(`patch: ${answer.status}`);
}

/** Rotates the connection's secret. The old secret stays valid for the overlap. */
export async function rotate(connection: Connection, overlapSeconds: number): Promise<Connection> {
  const answer = await portal("POST", `/connections/${connection.id}/rotate-secret`, {
    overlap_seconds: overlapSeconds,
  });
  if (answer.status !== 200) throw new Error(`rotate: ${answer.status}`);
  return { id: connection.id, secret: answer.json.secret };
}

/** Uses up the plan's limit per minute. */
export async function exhaust(connection: { id: string }): Promise<void> {
  const snapshot = await snapshotOfConnection(connection);
  const gate = gateOf(connection);
  await Promise.all(
    Array.from({ length: PLAN_LIMITS[snapshot.plan].perMinute }, () => gate.charge(snapshot)),
  );
}

/** Until mocks are restored, requests leave no evidence: the calls that are counted are those of the intakes alone. */
export function leaveNoEvidence(): void {
  vi.spyOn(evidence, "addRequest").mockResolvedValue(undefined);
  vi.spyOn(examinationTurns, "take").mockReturnValue(null);
}

/** Expects no row in the gate, and no request at the files-creator. */
export async function expectNothingStored(connection: { id: string }): Promise<void> {
  expect(await gateOf(connection).list(null, 10)).toEqual([]);
  const received = await filesCreator.received();
  expect(received.filter((file) => file.headers["x-audit1-connection-id"] === connection.id)).toEqual([]);
}

/** Moves the clock past the time for which a connection's row is cached. */
export function afterAMinute(): void {
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 61_000 });
}

export async function filesOf(connection: { id: string }): Promise<string[]> {
  return (await gateOf(connection).list(null, 10)).map((file) => file.fileId);
}

export function expectUnavailable(answer: Answer): void {
  expect(answer.status).toBe(503);
  expect(answer.json).toMatchObject({ error: "Service unavailable", code: "SERVICE_UNAVAILABLE" });
  expect(Number(answer.headers.get("Retry-After"))).toBeGreaterThan(0);
  expect(JSON.stringify(answer.json)).not.toContain("injected");
  expect(rateHeadersOf(answer)).toEqual([null, null, null]);
}

const RATE_HEADERS = ["X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset"];

export function rateHeadersOf(answer: Answer): (string | null)[] {
  return RATE_HEADERS.map((name) => answer.headers.get(name));
}
