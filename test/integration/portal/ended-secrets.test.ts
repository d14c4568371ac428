/** The last three secrets of a connection that have ended: kept sealed for 30 days, never shown, and never in force again. */
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { secretContext } from "../../../src/crypto/contexts.ts";
import { unsealText } from "../../../src/crypto/vault.ts";
import { connectionSenders } from "../../../src/inbound/inbound-routes.ts";
import { sliceOfDay } from "../../../src/maintenance/cron.ts";
import { settleEndedSecrets } from "../../../src/maintenance/retention.ts";
import { dataKeyOf, dumpDatabase } from "../../support/at-rest.ts";
import { advance, catchWakeUps, runCron } from "../../support/forwarding.ts";
import { bindings, type Connection, createBoundConnection, portal, post } from "../../support/gateway.ts";
import { rotate, rowOf } from "../../support/intake.ts";
import { racing } from "../../support/interception.ts";

const HOUR_S = 3_600;
const DAY_MS = 86_400_000;

beforeEach(() => {
  catchWakeUps();
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

async function rowWithDeleted({ id }: { id: string }): Promise<{ secrets: unknown[]; ended: unknown[] }> {
  const row = await bindings.DB.prepare("SELECT secrets, ended_secrets FROM connections WHERE id = ?")
    .bind(id)
    .first<{ secrets: string; ended_secrets: string }>();
  return { secrets: JSON.parse(row?.secrets ?? ""), ended: JSON.parse(row?.ended_secrets ?? "") };
}

/** The secrets that are kept, in clear text. */
async function endedOf({ id }: Connection): Promise<string[]> {
  const dataKey = await dataKeyOf({ kind: "connection", id });
  const { ended_secrets } = await rowOf({ id });
  return Promise.all(
    ended_secrets.map((each) => unsealText(dataKey, each.sealed, secretContext(id, each.id))),
  );
}

/** Runs the cron in the minute of the day in which this connection's ended secrets are settled, `days` from now. */
async function settle({ id }: Connection, days: number): Promise<void> {
  const today = Math.ceil(Date.now() / DAY_MS) * DAY_MS;
  const minute = Array.from({ length: 1_440 }, (_, i) => sliceOfDay(i * 60_000)).findIndex(
    ({ from, to }) => from <= id && id < to,
  );
  await runCron(today + days * DAY_MS + minute * 60_000);
}

/** Rotates so often, without an overlap; all secrets, the oldest first. */
async function rotated(connection: Connection, times: number): Promise<Connection[]> {
  const all = [connection];
  for (let i = 0; i < times; i++) {
    advance(1_000);
    all.push(await rotate(connection, 0));
  }
  return all;
}

it("the last three are kept, sealed", async () => {
  const connection = await createBoundConnection();
  const secrets = (await rotated(connection, 5)).map(({ secret }) => secret);
  expect(await endedOf(connection)).toEqual([secrets[4], secrets[3], secrets[2]]);
  const dump = await dumpDatabase();
  for (const secret of secrets) expect(dump).not.toContain(secret.replace("whsec_", ""));
});

it("none of them verifies or reaches the isolate's cache, and the portal shows none", async () => {
  const connection = await createBoundConnection();
  const all = await rotated(connection, 4);
  const current = all.pop() ?? connection;
  expect(await endedOf(connection)).toHaveLength(3);
  for (const ended of all) expect((await post(ended)).status).toBe(401);
  expect((await post(current)).status).toBe(202);
  for (const ended of all) expect((await post(ended)).status).toBe(401);
  expect(connectionSenders.get(connection.id)?.sender.secrets).toHaveLength(1);
  const { json } = await portal("GET", `/connections/${connection.id}`);
  expect(json.connection.secrets).toHaveLength(1);
  expect(json.connection).not.toHaveProperty("ended_secrets");
  const audit = await portal("GET", `/audit?subject_kind=connection&subject_id=${connection.id}`);
  expect(JSON.stringify(audit.json)).not.toContain("ended_secrets");
});

it("a secret whose overlap is over is not shown, even before the cron has settled it", async () => {
  const connection = await createBoundConnection();
  await rotate(connection, HOUR_S);
  const shown = async () => (await portal("GET", `/connections/${connection.id}`)).json.connection.secrets;
  expect(await shown()).toHaveLength(2);
  advance((HOUR_S + 1) * 1_000);
  expect(await shown()).toMatchObject([{ expires_at: null }]);
  expect((await rowWithDeleted(connection)).secrets).toHaveLength(2);
});

it("they leave the limit of secrets in force as it was", async () => {
  const connection = await createBoundConnection();
  await rotated(connection, 3);
  for (let i = 0; i < 9; i++) await rotate(connection, HOUR_S);
  await expect(rotate(connection, HOUR_S)).rejects.toThrow("409");
});

it("a secret whose overlap is over joins them with the cron of the day, or with the next rotation", async () => {
  const [byCron, byRotation] = [await createBoundConnection(), await createBoundConnection()];
  for (const connection of [byCron, byRotation]) await rotate(connection, HOUR_S);
  advance((HOUR_S + 1) * 1_000);
  await settle(byCron, 0);
  expect((await rowOf(byCron)).secrets).toHaveLength(1);
  expect(await endedOf(byCron)).toEqual([byCron.secret]);
  const { secret } = await rotate(byRotation, HOUR_S);
  expect((await rowOf(byRotation)).secrets).toHaveLength(2);
  expect(await endedOf(byRotation)).toEqual([byRotation.secret]);
  for (const ended of [byCron, byRotation]) expect((await post(ended)).status).toBe(401);
  expect((await post({ ...byRotation, secret })).status).toBe(202);
});

it("the cron deletes them after 30 days, of a deleted connection too, and changes nothing else", async () => {
  const connections = [await createBoundConnection(), await createBoundConnection()] as const;
  for (const connection of connections) await rotated(connection, 2);
  await portal("DELETE", `/connections/${connections[1].id}`);
  const before = await portal("GET", `/connections/${connections[0].id}`);
  for (const connection of connections) {
    await settle(connection, 28);
    expect((await rowWithDeleted(connection)).ended).toHaveLength(2);
    await settle(connection, 30);
    expect(await rowWithDeleted(connection)).toMatchObject({ secrets: [{}], ended: [] });
  }
  expect((await portal("GET", `/connections/${connections[0].id}`)).json).toEqual(before.json);
});

it("the cron leaves a row alone that a rotation changes meanwhile", async () => {
  const connection: Connection = await createBoundConnection();
  await rotate(connection, HOUR_S);
  advance((HOUR_S + 1) * 1_000);
  let next = connection;
  const { DB } = racing(async () => {
    next = await rotate(connection, 0);
  });
  await settleEndedSecrets(DB, { from: connection.id, to: `${connection.id}g` }, Date.now());
  expect(next.secret).not.toBe(connection.secret);
  expect((await post(next)).status).toBe(202);
  expect(await endedOf(connection)).toHaveLength(2);
});

it("an erasure deletes them", async () => {
  const connection = await createBoundConnection();
  await rotated(connection, 2);
  await portal("DELETE", `/connections/${connection.id}?erase=true`);
  expect((await rowWithDeleted(connection)).ended).toHaveLength(2);
  advance(7 * DAY_MS + 1);
  await runCron();
  expect(await rowWithDeleted(connection)).toEqual({ secrets: [], ended: [] });
});
