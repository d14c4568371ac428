import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { newObjectId } from "../../../src/crypto/ids.ts";
import {
  countStuckFiles,
  listStuckFiles,
  type StuckFilePosition,
} from "../../../src/forwarding/stuck-file-list.ts";
import { STUCK_REASONS, type StuckReason } from "../../../src/forwarding/stuck-files.ts";
import { mintFileId } from "../../../src/gate/file-id.ts";
import {
  accepted,
  answering,
  catchWakeUps,
  creatorThat,
  deliverFiles,
  runCron,
  stuckFileOf,
} from "../../support/forwarding.ts";
import { bindings, createBoundConnection, type Json, portal } from "../../support/gateway.ts";
import { withQueryLog } from "../../support/query-plans.ts";
import { countingReads } from "../../support/read-counter.ts";

const now = Date.now();
const FROM = now - 3_600_000;

interface Stored {
  fileId: string;
  reason: StuckReason;
  firstAt: number;
}

beforeEach(async () => {
  catchWakeUps();
  await bindings.DB.prepare("DELETE FROM attention").run();
});
afterEach(() => {
  vi.restoreAllMocks();
});

async function store({ fileId, reason, firstAt }: Stored): Promise<void> {
  await bindings.DB.prepare(
    `INSERT INTO attention (file_id, reason, response_status, attempts, next_attempt_at, first_at, updated_at,
       owner_type, owner_id, environment, employer_id)
     VALUES (?, ?, 503, 2, NULL, ?, ?, 'payroll_company', 'acme', 'production', 'EMP_1')`,
  )
    .bind(fileId, reason, firstAt, now)
    .run();
}

/** Of connections and keys; two at a time were first listed in the same millisecond. */
async function storeSome(n: number): Promise<Stored[]> {
  const all = Array.from({ length: n }, (_, i): Stored => {
    const kind = i % 3 === 0 ? "key" : "connection";
    return {
      fileId: mintFileId({ kind, id: newObjectId() }, FROM + i),
      reason: STUCK_REASONS[i % STUCK_REASONS.length] ?? "deferred",
      firstAt: FROM + Math.floor(i / 2) * 1_000,
    };
  });
  for (const each of all) await store(each);
  return all.sort((a, b) => b.firstAt - a.firstAt || (a.fileId < b.fileId ? 1 : -1));
}

async function walk(query: string, between?: (page: number) => Promise<void>) {
  const pages: Json[] = [];
  let cursor: string | null = "";
  while (cursor !== null) {
    const at: string = cursor === "" ? "" : `&cursor=${cursor}`;
    const { status, json } = await portal("GET", `/stuck-files?limit=4&${query}${at}`);
    expect(status).toBe(200);
    pages.push(json);
    cursor = json.next_cursor;
    await between?.(pages.length);
  }
  return { ids: pages.flatMap(({ stuck_files }) => stuck_files.map((file: Json) => file.file_id)), pages };
}

describe("GET /stuck-files", () => {
  it("shows what is known of a deferred and of a failed file, and neither payload nor response", async () => {
    const connection = await createBoundConnection();
    const [deferred, failed, fine] = [
      await accepted(connection),
      await accepted(connection),
      await accepted(connection),
    ];
    await deliverFiles([deferred], creatorThat(answering(503)).using);
    await deliverFiles([failed], creatorThat(answering(422)).using);
    await deliverFiles([fine], creatorThat().using);
    const { json } = await portal("GET", "/stuck-files");
    const shared = {
      response_status: 503,
      attempts: 1,
      first_seen_at: expect.stringMatching(/Z$/),
      updated_at: expect.stringMatching(/Z$/),
      connection_id: connection.id,
    };
    expect(json).toMatchObject({ next_cursor: null, count: 2 });
    expect(json.stuck_files).toHaveLength(2);
    expect(json.stuck_files).toContainEqual({
      ...shared,
      file_id: deferred,
      reason: "deferred",
      next_attempt_at: expect.stringMatching(/Z$/),
    });
    expect(json.stuck_files).toContainEqual({
      ...shared,
      file_id: failed,
      reason: "refused",
      response_status: 422,
      next_attempt_at: null,
    });
    expect(await stuckFileOf(deferred)).toMatchObject({
      owner_type: "payroll_company",
      owner_id: "acme",
      environment: "production",
      employer_id: connection.employerId,
    });
  });

  it("lists the last one first, in pages, and names the connection or the key", async () => {
    const all = await storeSome(20);
    const { ids, pages } = await walk("");
    expect(ids).toEqual(all.map(({ fileId }) => fileId));
    expect(pages.map(({ count }) => count)).toEqual([20, null, null, null, null]);
    const senders = pages.flatMap(({ stuck_files }) =>
      stuck_files.map((file: Json) => Object.keys(file).at(-1)),
    );
    expect(senders.filter((name) => name === "api_key_id")).toHaveLength(7);
    expect(senders.filter((name) => name === "connection_id")).toHaveLength(13);
  });

  const middle = FROM + 5_000;
  it.each<[string, (row: Stored) => boolean]>([
    ...STUCK_REASONS.map((reason): [string, (row: Stored) => boolean] => [
      `reason=${reason}`,
      (row) => row.reason === reason,
    ]),
    [`since=${new Date(middle).toISOString()}`, ({ firstAt }) => firstAt >= middle],
    [`until=${new Date(middle).toISOString()}`, ({ firstAt }) => firstAt < middle],
    [
      `reason=refused&until=${new Date(middle).toISOString()}`,
      ({ reason, firstAt }) => reason === "refused" && firstAt < middle,
    ],
  ])("filters by %s", async (query, selects) => {
    const all = await storeSome(20);
    const expected = all.filter(selects).map(({ fileId }) => fileId);
    expect(expected.length).toBeGreaterThan(0);
    expect(expected.length).toBeLessThan(all.length);
    const { ids, pages } = await walk(query);
    expect(ids).toEqual(expected);
    expect(pages[0]?.count).toBe(expected.length);
  });

  it("skips and doubles nothing while files are added and updated between pages", async () => {
    const all = await storeSome(20);
    const { ids } = await walk("", async (page) => {
      await store({
        fileId: mintFileId({ kind: "connection", id: newObjectId() }, now + page),
        reason: "deferred",
        firstAt: now + page,
      });
      await bindings.DB.prepare(
        "UPDATE attention SET updated_at = updated_at + 1, attempts = attempts + 1",
      ).run();
    });
    expect(ids).toEqual(all.map(({ fileId }) => fileId));
  });

  it("is empty without stuck files, and in a range that holds none", async () => {
    const empty = { stuck_files: [], next_cursor: null, count: 0 };
    expect((await portal("GET", "/stuck-files")).json).toMatchObject(empty);
    await storeSome(3);
    for (const query of ["since=9999-12-31T23:59:59Z", "until=0001-01-01T00:00:00Z"])
      expect((await portal("GET", `/stuck-files?${query}`)).json).toMatchObject(empty);
  });

  it("is there only for clients that act for every owner", async () => {
    await storeSome(3);
    for (const [query, client] of [
      ["", "bound"],
      ["?owner_type=payroll_company&owner_id=acme", "portal"],
      ["?owner_id=acme", "portal"],
    ]) {
      const { status, json } = await portal("GET", `/stuck-files${query}`, undefined, client);
      expect([status, json.error]).toEqual([404, (await portal("GET", "/nothing")).json.error]);
    }
  });

  const cursorOf = (value: unknown) => btoa(JSON.stringify(value)).replaceAll("=", "");
  it.each([
    ["limit", "limit=101"],
    ["cursor", "cursor=x"],
    ["cursor", `cursor=${cursorOf(["deliveries_of_owner", [1, "a".repeat(24)]])}`],
    ["cursor", `cursor=${cursorOf(["stuck_files", [1]])}`],
    [
      "cursor",
      `cursor=${cursorOf(["stuck_files", [-1, mintFileId({ kind: "key", id: "a".repeat(24) }, 1)]])}`,
    ],
    ["cursor", `cursor=${cursorOf(["stuck_files", [1, "' OR 1=1 --"]])}`],
    ["reason", "reason=any"],
    ["since", "since=yesterday"],
    ["until", "until=1773657000"],
    ["colour", "colour=red"],
  ])("refuses a %s that it cannot use: %s", async (field, query) => {
    const { status, json } = await portal("GET", `/stuck-files?${query}`);
    expect(status).toBe(400);
    expect(Object.keys(json.details)).toEqual([field]);
  });

  it("pages 20 000 files by index, and counts a thousand of them", async () => {
    await bindings.DB.prepare(
      `WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 19999)
       INSERT INTO attention (file_id, reason, attempts, first_at, updated_at, owner_type, owner_id, environment, employer_id)
       SELECT printf('FILE_%040d', i), iif(i % 1000 = 7, 'refused', 'deferred'), 1, ?1 + i, ?1, 'employer', 'x', 'production', 'E' FROM n`,
    )
      .bind(FROM)
      .run();
    const { DB: logged, plans } = withQueryLog(bindings.DB);
    const { DB, take } = countingReads(logged);
    for (const firstAt of [FROM + 101, FROM + 10_000, FROM + 20_000]) {
      const after: StuckFilePosition = [firstAt, ""];
      expect(await listStuckFiles(DB, {}, after, 100)).toHaveLength(101);
      expect(take()).toBeLessThanOrEqual(210);
    }
    expect(await listStuckFiles(DB, { reason: "refused" }, null, 100)).toHaveLength(20);
    expect(take()).toBeLessThanOrEqual(42);
    expect(await countStuckFiles(DB, {})).toBe("1000+");
    expect(await countStuckFiles(DB, { reason: "refused", since: FROM + 10_000 })).toBe(10);
    expect(take()).toBeLessThanOrEqual(1_100);
    const steps = await plans();
    expect(steps.filter((step) => /^SCAN attention|TEMP B-TREE/.test(step))).toEqual([]);
    expect(steps.some((step) => /^SEARCH attention USING .*attention_reason/.test(step))).toBe(true);
  });
});

describe("a row of earlier code", () => {
  it("is completed by the minute cron: its owner, environment and employer", async () => {
    const connection = await createBoundConnection();
    const fileId = await accepted(connection);
    await deliverFiles([fileId], creatorThat(answering(503)).using);
    const nobodys = mintFileId({ kind: "connection", id: newObjectId() }, now);
    await store({ fileId: nobodys, reason: "deferred", firstAt: now });
    const before = await stuckFileOf(fileId);
    await bindings.DB.prepare(
      "UPDATE attention SET owner_type = NULL, owner_id = NULL, environment = NULL, employer_id = NULL, seq = NULL",
    ).run();
    await runCron();
    expect(await stuckFileOf(fileId)).toEqual(before);
    // One of no gate is not looked at again.
    expect(await stuckFileOf(nobodys)).toMatchObject({ owner_type: "", owner_id: "", employer_id: "" });
  });
});
