import { beforeEach, describe, expect, it } from "vitest";
import { newObjectId } from "../../../src/crypto/ids.ts";
import { countStuckFilesOf, listStuckFilesOf } from "../../../src/forwarding/stuck-file-list.ts";
import { mintFileId, parseFileId } from "../../../src/gate/file-id.ts";
import { withBrokenGates } from "../../support/faults.ts";
import {
  accepted,
  advance,
  answering,
  creatorThat,
  deliverFiles,
  wakeUpsOfEachTest,
} from "../../support/forwarding.ts";
import {
  bindings,
  createApiKey,
  createBoundConnection,
  createConnection,
  createEmployer,
  type Json,
  portal,
  report,
  send,
} from "../../support/gateway.ts";
import { hanging, intercepted } from "../../support/interception.ts";
import { withQueryLog } from "../../support/query-plans.ts";
import { countingReads } from "../../support/read-counter.ts";

wakeUpsOfEachTest();

const ACME = "owner_type=payroll_company&owner_id=acme";
const idsOf = (json: Json): string[] => json.files.map(({ file_id }: Json) => file_id);

async function walk(query: string, limit = 2, between?: () => Promise<unknown>) {
  const pages: Json[] = [];
  let cursor: string | null = "";
  while (cursor !== null) {
    const at: string = cursor === "" ? "" : `&cursor=${cursor}`;
    const { status, json } = await portal("GET", `/files?limit=${limit}&${query}${at}`);
    expect(status, JSON.stringify(json)).toBe(200);
    pages.push(json);
    cursor = json.next_cursor;
    await between?.();
  }
  return { ids: pages.flatMap(idsOf), pages };
}

/** Six files of one connection, newest first, of two employers; two have failed, two wait, two are with the files-creator. */
async function sixFiles() {
  const [one, other] = [await createEmployer(), await createEmployer()];
  const connection = await createConnection();
  const files: { id: string; employerId: string; status: string; at: number }[] = [];
  for (let i = 0; i < 6; i++) {
    const employerId = (i % 2 === 0 ? one : other).id;
    const id = await accepted(connection, report({ employer_id: employerId }));
    const status = ["failed", "queued", "processing"][Math.floor(i / 2)] ?? "";
    const creator = { failed: answering(422), queued: answering(503), processing: undefined }[status];
    await deliverFiles([id], creatorThat(creator).using);
    files.unshift({ id, employerId, status, at: parseFileId(id)?.mintedAt ?? 0 });
    advance(1_000);
  }
  return { connection, files };
}

beforeEach(async () => {
  await bindings.DB.prepare("DELETE FROM attention").run();
});

describe("GET /files of one sender, for a portal client", () => {
  it("filters the walk by every field, and counts", async () => {
    const { connection, files } = await sixFiles();
    const middle = files[2]?.at ?? 0;
    const time = new Date(middle).toISOString();
    const employerId = files[0]?.employerId;
    for (const [query, selects] of [
      ["", () => true],
      ["&status=failed", ({ status }) => status === "failed"],
      ["&status=queued", ({ status }) => status === "queued"],
      ["&status=processing", ({ status }) => status === "processing"],
      ["&status=completed", () => false],
      [`&employer_id=${employerId}`, (file) => file.employerId === employerId],
      [`&since=${time}`, ({ at }) => at >= middle],
      [`&until=${time}`, ({ at }) => at < middle],
      ["&environment=production", () => true],
      ["&environment=sandbox", () => false],
      [
        `&employer_id=${employerId}&status=queued&until=${time}`,
        (file) => file.employerId === employerId && file.status === "queued" && file.at < middle,
      ],
    ] as [string, (file: (typeof files)[number]) => boolean][]) {
      const expected = files.filter(selects).map(({ id }) => id);
      const { ids, pages } = await walk(`connection_id=${connection.id}${query}`);
      expect(ids, query).toEqual(expected);
      expect(pages[0]?.count, query).toBe(expected.length);
      expect(pages.slice(1).every(({ count }) => count === null)).toBe(true);
    }
    const { token } = await createApiKey();
    const { json } = await send(`/api/v1/files?connection_id=${connection.id}&employer_id=${employerId}`, {
      headers: { Authorization: `Bearer ${token}` },
    });
    expect(idsOf(json)).toHaveLength(3);
    expect(json.count).toBe(3);
  });

  it("skips and doubles nothing while files are added between pages", async () => {
    const { connection, files } = await sixFiles();
    const { ids } = await walk(`connection_id=${connection.id}`, 2, () =>
      accepted(connection, report({ employer_id: files[0]?.employerId })),
    );
    expect(ids).toEqual(files.map(({ id }) => id));
  });

  it("is a 404 for another owner's sender, as for one that nobody has", async () => {
    const theirs = await createBoundConnection({ owner_id: "other" });
    const theirKey = await createApiKey({ owner_id: "other" });
    for (const [query, error] of [
      [`connection_id=${theirs.id}`, "connection_not_found"],
      [`connection_id=${newObjectId()}`, "connection_not_found"],
      [`api_key_id=${theirKey.id}`, "api_key_not_found"],
      [`api_key_id=${newObjectId()}`, "api_key_not_found"],
    ]) {
      for (const [named, client] of [
        ["", "bound"],
        [`&${ACME}`, "portal"],
      ] as const) {
        const { status, json } = await portal("GET", `/files?${query}${named}`, undefined, client);
        expect([status, json.error]).toEqual([404, error]);
      }
    }
    expect((await portal("GET", `/files?connection_id=${theirs.id}`)).json).toMatchObject({
      files: [],
      count: 0,
    });
  });
});

describe("GET /files of an owner", () => {
  it("lists the stuck and failed files of all its senders, by every filter, and counts", async () => {
    const [first, second] = [await sixFiles(), await sixFiles()];
    const theirs = await createBoundConnection({ owner_id: "other" });
    const theirFile = await accepted(theirs);
    await deliverFiles([theirFile], creatorThat(answering(503)).using);
    const all = [...second.files, ...first.files].filter(({ status }) => status !== "processing");
    const middle = first.files[2]?.at ?? 0;
    const time = new Date(middle).toISOString();
    const employerId = second.files[0]?.employerId;
    for (const [query, selects] of [
      ["", () => true],
      ["&status=failed", ({ status }) => status === "failed"],
      ["&status=queued", ({ status }) => status === "queued"],
      [`&employer_id=${employerId}`, (file) => file.employerId === employerId],
      [`&since=${time}`, ({ at }) => at >= middle],
      [`&until=${time}`, ({ at }) => at < middle],
      ["&environment=sandbox", () => false],
    ] as [string, (file: (typeof all)[number]) => boolean][]) {
      const expected = all.filter(selects).map(({ id }) => id);
      const { ids, pages } = await walk(`${ACME}${query}`, 3);
      expect(ids, query).toEqual(expected);
      expect(pages[0]?.count, query).toBe(expected.length);
    }
    const { json } = await portal("GET", "/files", undefined, "bound");
    expect(idsOf(json)).toEqual(all.map(({ id }) => id));
    // The same object as everywhere else.
    const { token } = await createApiKey();
    const headers = { Authorization: `Bearer ${token}` };
    const [shown] = json.files;
    expect((await send(`/api/v1/files/status/${shown.file_id}`, { headers })).json).toMatchObject(shown);
    expect((await walk("owner_type=payroll_company&owner_id=other")).ids).toEqual([theirFile]);
  });

  it("is empty for an owner without any, and refuses another owner", async () => {
    const { json } = await portal("GET", "/files?owner_type=payroll_company&owner_id=new");
    expect(json).toMatchObject({ files: [], next_cursor: null, count: 0 });
    const other = await portal("GET", "/files?owner_type=payroll_company&owner_id=other", undefined, "bound");
    expect([other.status, other.json.error]).toEqual([404, "owner_not_found"]);
    expect((await portal("GET", "/files")).json.error).toBe("owner_id_required");
  });

  it("is a 503 while one of its gates is away", async () => {
    const { connection } = await sixFiles();
    await sixFiles();
    const away = (name: string) => name === `connection:${connection.id}`;
    const using = withBrokenGates(bindings, "status", away);
    const { status, json } = await portal("GET", `/files?${ACME}`, undefined, "portal", using);
    expect([status, json.code]).toEqual([503, "SERVICE_UNAVAILABLE"]);
    expect(JSON.stringify(json)).not.toContain("unreachable");
  });

  it("is a 503 while its gates hang, after the deadline of the first calls", async () => {
    await sixFiles();
    await sixFiles();
    let asked = 0;
    const using = intercepted((call, proceed) => {
      if (call === "CONNECTION_GATE.status") asked++;
      return proceed();
    }, hanging("CONNECTION_GATE.status"));
    const { status, json } = await portal("GET", `/files?${ACME}`, undefined, "portal", using);
    expect([status, json.code, asked]).toEqual([503, "SERVICE_UNAVAILABLE", 6]);
  });

  it("leaves out a file that has been forwarded, though its row is still there", async () => {
    const { files } = await sixFiles();
    const queued = files.find(({ status }) => status === "queued")?.id ?? "";
    advance(3_600_000);
    const row = await bindings.DB.prepare("SELECT * FROM attention WHERE file_id = ?")
      .bind(queued)
      .first<Json>();
    await deliverFiles([queued], creatorThat().using);
    const names = Object.keys(row ?? {});
    await bindings.DB.prepare(
      `INSERT INTO attention (${names.join(", ")}) VALUES (${names.map(() => "?").join(", ")})`,
    )
      .bind(...Object.values(row ?? {}))
      .run();
    expect((await walk(ACME)).ids).not.toContain(queued);
  });
});

const cursorOf = (value: unknown) => btoa(JSON.stringify(value)).replaceAll("=", "");
describe("GET /files refuses", () => {
  it.each([
    ["limit", "limit=0"],
    ["cursor", "cursor=x"],
    ["cursor", `cursor=${mintFileId({ kind: "key", id: "a".repeat(24) }, 1)}`],
    [
      "cursor",
      `cursor=${cursorOf(["stuck_files", [1, mintFileId({ kind: "key", id: "a".repeat(24) }, 1)]])}`,
    ],
    ["cursor", `cursor=${cursorOf(["files_of_owner", "' OR 1=1 --"])}`],
    ["status", "status=done"],
    ["status", "status=completed"],
    ["employer_id", "employer_id=%27%20OR%201"],
    ["since", "since=yesterday"],
    ["until", "until=1773657000"],
    ["environment", "environment=test"],
    ["connection_id", "connection_id=x"],
    ["api_key_id", `api_key_id=${"a".repeat(24)}&connection_id=${"a".repeat(24)}`],
    ["colour", "colour=red"],
  ])("a %s that it cannot use: %s", async (field, query) => {
    const { status, json } = await portal("GET", `/files?${ACME}&${query}`);
    expect(status).toBe(400);
    expect(Object.keys(json.details)).toEqual([field]);
  });

  it("the cursor of an owner's list for one sender, and takes a forged position as one in the client's own list", async () => {
    const { connection, files } = await sixFiles();
    const { json } = await portal("GET", `/files?${ACME}&limit=1`);
    const refused = await portal("GET", `/files?connection_id=${connection.id}&cursor=${json.next_cursor}`);
    expect([refused.status, Object.keys(refused.json.details)]).toEqual([400, ["cursor"]]);
    const forged = cursorOf(["files_of_owner", mintFileId({ kind: "key", id: newObjectId() }, Date.now())]);
    const listed = await portal("GET", `/files?${ACME}&cursor=${forged}`);
    expect(idsOf(listed.json)).toEqual(files.slice(2).map(({ id }) => id));
  });
});

it("20 000 stuck files of an owner page by index, each page and count in a bounded number of rows", async () => {
  await bindings.DB.prepare(
    `WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 19999)
     INSERT INTO attention (file_id, reason, attempts, first_at, updated_at, owner_type, owner_id, environment, employer_id, seq)
     SELECT printf('FILE_%040d', i), iif(i % 1000 = 7, 'refused', 'deferred'), 1, i, i, 'employer', 'x', 'production', 'E', printf('%020d', i) FROM n`,
  ).run();
  const { DB: logged, plans } = withQueryLog(bindings.DB);
  const { DB, take } = countingReads(logged);
  const owner = { type: "employer", id: "x" } as const;
  for (const after of [null, `FILE_${"0".repeat(35)}10000`]) {
    const page = await listStuckFilesOf(DB, owner, "production", {}, { after, limit: 100 });
    expect(page.fileIds).toHaveLength(100);
    expect(take()).toBeLessThanOrEqual(210);
  }
  let [after, found, pages]: [string | null, number, number] = [null, 0, 0];
  do {
    const page = await listStuckFilesOf(DB, owner, "production", { status: "failed" }, { after, limit: 100 });
    expect(take()).toBeLessThanOrEqual(900);
    found += page.fileIds.length;
    after = page.next;
    pages++;
  } while (after !== null);
  expect([found, pages]).toEqual([20, 51]);
  expect(await countStuckFilesOf(DB, owner, "production", {})).toBe("1000+");
  expect(await countStuckFilesOf(DB, owner, "production", { status: "failed" })).toMatch(/^\d+\+$/);
  expect(take()).toBeLessThanOrEqual(2_100);
  const steps = await plans();
  expect(steps.filter((step) => /^SCAN attention|TEMP B-TREE/.test(step))).toEqual([]);
  expect(steps.some((step) => /^SEARCH attention USING .*attention_owner/.test(step))).toBe(true);
});
