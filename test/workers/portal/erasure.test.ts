import { runDurableObjectAlarm } from "cloudflare:test";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { SealBroken } from "../../../src/crypto/vault.ts";
import { keyObjectKey } from "../../../src/gate/segment.ts";
import { dataKeyOf, dumpArchive, dumpDatabase, dumpGate } from "../../support/at-rest.ts";
import { withBrokenGates } from "../../support/faults.ts";
import {
  accepted,
  advance,
  catchWakeUps,
  creatorThat,
  deliverFiles,
  recordOf,
  runCron,
} from "../../support/forwarding.ts";
import {
  bindings,
  createBoundConnection,
  createConnection,
  gateOf,
  type Json,
  portal,
  post,
} from "../../support/gateway.ts";

const HOUR = 3_600_000;
const WEEK = 7 * 24 * HOUR;

beforeEach(() => {
  catchWakeUps();
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

const remove = (id: string, query: string) => portal("DELETE", `/connections/${id}${query}`);
const wrappedKeyOf = async (id: string): Promise<string> => {
  const row = await bindings.DB.prepare("SELECT data_key FROM connections WHERE id = ?")
    .bind(id)
    .first<Json>();
  return row?.data_key;
};
const addressOf = (id: string) => ({ kind: "connection", id }) as const;

/** A connection with a report in the archive and one that the files-creator never got. */
async function withReports() {
  const connection = await createBoundConnection();
  const archived = await accepted(connection);
  await deliverFiles([archived], creatorThat().using);
  advance(2 * HOUR);
  await runDurableObjectAlarm(gateOf(connection));
  const waiting = await accepted(connection);
  return { connection, archived, waiting, wrappedKey: await wrappedKeyOf(connection.id) };
}

const everything = async (fileId: string) =>
  [await dumpDatabase(), await dumpGate(fileId), await dumpArchive()].join("\n");

describe("DELETE /connections/{id}?erase=true", () => {
  it("says when, and says the same when it is repeated", async () => {
    const { id } = await createConnection();
    const before = Date.now();
    const answer = await remove(id, "?erase=true");
    expect(answer).toMatchObject({ status: 200, json: { message: "connection_deleted" } });
    const at = Date.parse(answer.json.erase_at);
    expect(at).toBeGreaterThanOrEqual(before + WEEK);
    expect(at).toBeLessThanOrEqual(Date.now() + WEEK);
    expect((await remove(id, "?erase=true")).json).toEqual(answer.json);
    expect((await remove(id, "")).json).toEqual(answer.json);
  });

  it("lets reports arrive until then", async () => {
    const { connection, waiting } = await withReports();
    await remove(connection.id, "?erase=true");
    advance(WEEK - 60_000);
    await runCron();
    const { received, using } = creatorThat();
    await deliverFiles([waiting], using);
    expect(received.map(({ fileId }) => fileId)).toEqual([waiting]);
  });

  it("leaves no copy of the data key anywhere, so that nothing of the connection opens any more", async () => {
    const { connection, archived, waiting, wrappedKey } = await withReports();
    expect(await everything(archived)).toContain(wrappedKey);
    expect(await bindings.ARCHIVE.head(keyObjectKey(addressOf(connection.id)))).not.toBeNull();
    await remove(connection.id, "?erase=true");
    advance(WEEK + 60_000);
    await runCron();
    await runDurableObjectAlarm(gateOf(connection));
    expect(await everything(archived)).not.toContain(wrappedKey);
    expect(await everything(waiting)).not.toContain(wrappedKey);
    expect(await bindings.ARCHIVE.head(keyObjectKey(addressOf(connection.id)))).toBeNull();
    const row = await bindings.DB.prepare("SELECT secrets, data_key FROM connections WHERE id = ?")
      .bind(connection.id)
      .first();
    expect(row).toEqual({ secrets: "[]", data_key: "" });
    await expect(dataKeyOf(addressOf(connection.id))).rejects.toBeInstanceOf(SealBroken);
    expect((await post(connection)).status).toBe(404);
  });

  it("fails what nobody can open any more, and holds up nobody else's reports", async () => {
    const { connection, archived, waiting } = await withReports();
    await remove(connection.id, "?erase=true");
    advance(WEEK + 60_000);
    await runCron();
    const other = await accepted(await createBoundConnection());
    const { received, using } = creatorThat();
    const delivered = await deliverFiles([waiting, other], using);
    expect(delivered).toEqual({ acked: [0], retried: [] });
    expect(received.map(({ fileId }) => fileId)).toEqual([other]);
    expect((await recordOf(waiting)).status).toBe("failed");
    await portal("POST", "/events", { id: "evt_1", type: "file.processed", data: { fileId: archived } });
    for (const fileId of [waiting, archived])
      expect(await portal("POST", `/files/${fileId}/replay`)).toMatchObject({
        status: 404,
        json: { error: "file_not_found" },
      });
  });

  it("keeps the audit trail, to the end", async () => {
    const { id } = await createConnection();
    await remove(id, "?erase=true");
    advance(WEEK + 60_000);
    await runCron();
    await runCron();
    const { json } = await portal("GET", `/audit?subject=connection:${id}`);
    expect(json.audit.map(({ action, actor }: Json) => [action, actor])).toEqual([
      ["connection.erased", "system:erasure"],
      ["connection.deleted", "client:portal"],
      ["connection.created", "client:portal"],
    ]);
  });

  it("comes to its end although the gate was away", async () => {
    const { connection, archived, wrappedKey } = await withReports();
    await remove(connection.id, "?erase=true");
    advance(WEEK + 60_000);
    await runCron(Date.now(), withBrokenGates(bindings, "refresh"));
    expect(await wrappedKeyOf(connection.id)).toBe("");
    expect(await dumpGate(archived)).toContain(wrappedKey);
    await runCron();
    await runDurableObjectAlarm(gateOf(connection));
    expect(await everything(archived)).not.toContain(wrappedKey);
  });

  it("can be added to a deletion, and taken back until it has happened", async () => {
    const { connection, waiting } = await withReports();
    expect((await remove(connection.id, "")).json.erase_at).toBeNull();
    expect((await remove(connection.id, "?erase=true")).json.erase_at).not.toBeNull();
    expect((await remove(connection.id, "?erase=false")).json.erase_at).toBeNull();
    advance(WEEK + 60_000);
    await runCron();
    const { received, using } = creatorThat();
    await deliverFiles([waiting], using);
    expect(received).toHaveLength(1);
    expect((await post(connection)).status).toBe(404);
  });

  it("cannot be taken back once it has happened", async () => {
    const { id } = await createConnection();
    const { json } = await remove(id, "?erase=true");
    advance(WEEK + 60_000);
    await runCron();
    expect((await remove(id, "?erase=false")).json).toEqual(json);
    expect(await wrappedKeyOf(id)).toBe("");
  });
});
