import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { beforeEach, describe, expect, it, vi } from "vitest";
import type { Bindings } from "../../../src/bindings.ts";
import { newObjectId } from "../../../src/crypto/ids.ts";
import { fileIdOf, mintFileId, parseFileId } from "../../../src/gate/file-id.ts";
import { GateState } from "../../../src/gate/state.ts";
import { runJobs } from "../../../src/jobs/run-jobs.ts";
import {
  accepted,
  advance,
  answering,
  creatorThat,
  deliver,
  deliverFiles,
  gateOfFile,
  recordOf,
  sha256,
  wakeUpsOfEachTest,
} from "../../support/forwarding.ts";
import { factsAt } from "../../support/gate.ts";
import {
  bindings,
  type Connection,
  createApiKey,
  createBoundConnection,
  createConnection,
  createEmployer,
  gateOf,
  type Json,
  portal,
  report,
} from "../../support/gateway.ts";
import { hanging, without } from "../../support/interception.ts";
import { beginOnly, jobOf, runToTheEnd, runUntilLost } from "../../support/jobs.ts";

const { ARCHIVE, DB } = bindings;
const DAY = 86_400_000;
const HOUR = 3_600_000;
const wakeUps = wakeUpsOfEachTest();
let connection: Connection & { employerId: string };

beforeEach(async () => {
  connection = await createBoundConnection();
  await DB.prepare("DELETE FROM jobs").run();
});

const refusing = () => creatorThat(answering(422)).using;
const at = (ms: number) => new Date(ms).toISOString();

async function failedFile(body?: string | Uint8Array<ArrayBuffer>): Promise<string> {
  const fileId = await accepted(connection, body);
  await deliverFiles([fileId], refusing());
  expect((await recordOf(fileId)).status).toBe("failed");
  return fileId;
}

async function completedFile(body?: string | Uint8Array<ArrayBuffer>): Promise<string> {
  const fileId = await accepted(connection, body);
  await deliverFiles([fileId], creatorThat().using);
  await portal("POST", "/events", { id: newObjectId(), type: "file.processed", data: { fileId } });
  expect((await recordOf(fileId)).status).toBe("completed");
  return fileId;
}

const replay = (filters: Json = {}, client = "portal", using?: Bindings) =>
  portal("POST", "/files/replay", { connection_id: connection.id, ...filters }, client, using);
const statusesOf = (fileIds: string[]) =>
  Promise.all(fileIds.map(async (fileId) => (await recordOf(fileId)).status));

/** What the audit trail says of the replays of a file. */
const replaysOf = async (fileId: string): Promise<Json[]> =>
  (await portal("GET", `/audit?subject=file:${fileId}`)).json.audit;

/** Begins a job whose first steps are lost. */
const begun = async (filters: Json = {}): Promise<string> =>
  (await beginOnly((using) => replay(filters, "portal", using))).id;

describe("a bulk replay of files", () => {
  it("counts first, then forwards the failed files again, each once", async () => {
    const failed = [await failedFile(), await failedFile(), await failedFile()];
    const others = [await completedFile(), await accepted(connection)];
    expect(await replay({ dry_run: true })).toMatchObject({
      status: 200,
      json: { dry_run: true, matched: 3 },
    });
    expect(await statusesOf(failed)).toEqual(["failed", "failed", "failed"]);
    wakeUps.length = 0;
    const { status, json } = await replay();
    expect(status).toBe(202);
    expect(json.job).toMatchObject({ kind: "files.replay", matched: 3, status: "running" });
    expect(await jobOf(json.job.id)).toMatchObject({ matched: 3, done: 3, skipped: 0, status: "done" });
    expect(new Set(wakeUps.flatMap(({ file_ids }) => file_ids))).toEqual(new Set(failed));
    const { received, using } = creatorThat();
    await deliver(wakeUps.splice(0), using);
    expect(received.map(({ key }) => key).sort()).toEqual(failed.map((id) => `${id}.2`).sort());
    expect(await statusesOf([...failed, ...others])).toEqual([
      ...["processing", "processing", "processing"],
      ...["completed", "queued"],
    ]);
    for (const fileId of failed) {
      const [audited] = await replaysOf(fileId);
      expect(audited).toMatchObject({
        action: "file.replayed",
        actor: "client:portal",
        after: { job: json.job.id, generation: 2 },
      });
    }
  });

  it("takes only what its filters match: time and employer", async () => {
    const early = await failedFile();
    await scheduler.wait(5);
    const since = at(Date.now());
    const late = await failedFile();
    expect((await replay({ since, dry_run: true })).json.matched).toBe(1);
    expect((await replay({ until: since, dry_run: true })).json.matched).toBe(1);
    expect((await replay({ employer_id: "EMP_other", dry_run: true })).json.matched).toBe(0);
    expect((await replay({ employer_id: connection.employerId, dry_run: true })).json.matched).toBe(2);
    await replay({ since });
    expect(await statusesOf([early, late])).toEqual(["failed", "queued"]);
  });

  it("takes the failed files of all connections and keys of an owner", async () => {
    const owner = { owner_type: "payroll_company", owner_id: `owner-${newObjectId()}` };
    const files: string[] = [];
    const employer = await createEmployer([owner]);
    for (let i = 0; i < 3; i++) {
      const made = await createConnection({ ...owner, employer_id: employer.id });
      connection = { ...made, employerId: employer.id };
      files.push(await failedFile());
    }
    await createApiKey(owner);
    const all = { ...owner, connection_id: undefined };
    expect((await replay({ ...all, dry_run: true })).json.matched).toBe(3);
    const { json } = await replay(all);
    expect(await jobOf(json.job.id)).toMatchObject({ done: 3, status: "done" });
    expect(await statusesOf(files)).toEqual(["queued", "queued", "queued"]);
  });

  it("is one at a time for a connection, and names the running one", async () => {
    await failedFile();
    const running = await begun();
    expect(await replay()).toMatchObject({
      status: 409,
      json: { error: "job_running", details: { job_id: running } },
    });
    const whole = { connection_id: undefined, owner_type: "payroll_company", owner_id: "acme" };
    expect((await replay(whole)).json.error).toBe("job_running");
    await portal("DELETE", `/jobs/${running}`);
    expect((await replay()).status).toBe(202);
  });

  it("takes completed files only from the portal, for one sender, with the count of a dry run", async () => {
    const files = [await completedFile(), await completedFile()];
    const completed = { status: "completed", include_completed: true };
    const refused = async (body: Json, client = "portal") => {
      const { status, json } = await replay(body, client);
      return [status, json.error, ...Object.keys(json.details ?? {})];
    };
    expect(await refused({ status: "completed" })).toEqual([400, "Validation Error", "include_completed"]);
    expect(await refused({ ...completed, count: 2 }, "bound")).toEqual([
      ...[400, "Validation Error", "include_completed"],
    ]);
    const whole = { connection_id: undefined, owner_type: "payroll_company", owner_id: "acme" };
    expect(await refused({ ...completed, ...whole, count: 2 })).toEqual([
      400,
      "Validation Error",
      "connection_id",
    ]);
    for (const count of [undefined, 1, 3])
      expect(await refused({ ...completed, count })).toEqual([409, "count_differs", "count"]);
    expect(await statusesOf(files)).toEqual(["completed", "completed"]);
    const { matched } = (await replay({ ...completed, dry_run: true })).json;
    const { json } = await replay({ ...completed, count: matched });
    expect(await jobOf(json.job.id)).toMatchObject({ matched: 2, done: 2, status: "done" });
    expect(await statusesOf(files)).toEqual(["queued", "queued"]);
  });

  it("never replays more completed files than were confirmed", async () => {
    const files = [await completedFile(), await accepted(connection)];
    const id = await begun({ include_completed: true, count: 1 });
    await deliverFiles([files[1] ?? ""], creatorThat().using);
    await portal("POST", "/events", {
      id: newObjectId(),
      type: "file.processed",
      data: { fileId: files[1] },
    });
    expect(await runToTheEnd(id)).toMatchObject({ done: 1, status: "done" });
    expect(await statusesOf(files)).toEqual(["queued", "completed"]);
  });

  it("does not exist for another owner", async () => {
    await failedFile();
    const theirs = await createConnection({ owner_type: "payroll_company", owner_id: "other" });
    const foreign = await replay({ connection_id: theirs.id }, "bound");
    const unknown = await replay({ connection_id: newObjectId() }, "bound");
    for (const answer of [foreign, unknown])
      expect(answer).toMatchObject({ status: 404, json: { error: "connection_not_found" } });
    const scoped = await replay({ owner_id: "somebody" });
    expect([scoped.status, scoped.json.error]).toEqual([404, "connection_not_found"]);
    const { job } = (await replay()).json;
    expect((await portal("GET", `/jobs/${job.id}?owner_id=other`)).status).toBe(404);
  });

  it("queues and counts nothing twice, wherever the cron dies between two calls", async () => {
    let dies = 0;
    let made = 0;
    do {
      dies++;
      for (const took of [true, false]) {
        connection = await createBoundConnection();
        const files = [await failedFile(), await failedFile()];
        const id = await begun();
        made = await runUntilLost(dies, took);
        // What was queued already fails again: it was replayed, so it stays as it is.
        await deliverFiles(files, refusing());
        expect(await runToTheEnd(id)).toMatchObject({ done: 2, skipped: 0, status: "done" });
        for (const fileId of files) {
          expect((await recordOf(fileId)).generation).toBe(2);
          expect(await replaysOf(fileId)).toHaveLength(1);
        }
      }
    } while (made >= dies);
    expect(dies).toBeGreaterThan(4);
  }, 60_000);

  it("makes each step once when several crons run at once", async () => {
    const files = [await failedFile(), await failedFile(), await failedFile()];
    const id = await begun();
    await Promise.all([1, 2, 3].map(() => runJobs(bindings, Date.now())));
    expect(await runToTheEnd(id)).toMatchObject({ done: 3, status: "done" });
    for (const fileId of files) expect((await recordOf(fileId)).generation).toBe(2);
  });

  it.each([
    ["the gate is away", () => without("CONNECTION_GATE")],
    ["the gate hangs", () => hanging("CONNECTION_GATE")],
    ["the gate hangs after the call took effect", () => hanging("CONNECTION_GATE", { took: true })],
    ["D1 is away", () => without("DB.batch")],
    ["D1 hangs", () => hanging("DB.batch")],
    ["the queue is away", () => without("FILES")],
  ])("continues once it can: %s", async (_how, broken) => {
    const file = await failedFile();
    const id = await begun();
    await runJobs(broken(), Date.now());
    expect(await runToTheEnd(id)).toMatchObject({ done: 1, status: "done" });
    expect(await recordOf(file)).toMatchObject({ status: "queued", generation: 2 });
  });

  it.each([
    ["D1 is away", () => without("DB.")],
    ["the gate is away", () => without("CONNECTION_GATE")],
    ["the gate hangs", () => hanging("CONNECTION_GATE")],
    ["the bucket is away", () => without("ARCHIVE")],
    ["the bucket hangs", () => hanging("ARCHIVE")],
  ])("is not begun while it cannot be counted: %s", async (_why, broken) => {
    await completedFile();
    const wanted = { since: at(Date.now() - 30 * DAY), include_completed: true };
    for (const body of [
      { ...wanted, dry_run: true },
      { ...wanted, count: 1 },
    ])
      expect((await replay(body, "portal", broken())).status).toBe(503);
    expect((await DB.prepare("SELECT 1 FROM jobs").all()).results).toEqual([]);
  });

  it("whose answer was lost runs once, and a repeat names it", async () => {
    const file = await completedFile();
    const wanted = { include_completed: true, count: 1 };
    const lost = await replay(wanted, "portal", hanging("DB.batch", { took: true }));
    expect(lost.status).toBe(503);
    const repeat = await replay(wanted);
    expect(repeat).toMatchObject({ status: 409, json: { error: "job_running" } });
    expect(await runToTheEnd(repeat.json.details.job_id)).toMatchObject({ done: 1, status: "done" });
    expect(await replay(wanted)).toMatchObject({ status: 409, json: { error: "count_differs" } });
    expect(await recordOf(file)).toMatchObject({ status: "queued", generation: 2 });
  });

  it("queues no more than 500 at a time, ends half-way when it is cancelled, and is counted up to 1 000", async () => {
    const count = 1_100;
    const stub = gateOf(connection);
    await failedFile();
    const gate = { kind: "connection" as const, id: connection.id };
    const now = Date.now();
    await runInDurableObject(stub, (_object, { storage }) => {
      const { files } = new GateState(storage.sql, now, Math.random);
      for (let i = 1; i < count; i++) {
        const seq = parseFileId(mintFileId(gate, now - 10_000 - i))?.seq ?? "";
        files.insert({
          ...{ seq, state: "queued", now, signature: null, signedUntil: null, bodyMac: "", keyMac: null },
          ...{ facts: JSON.stringify(factsAt(now)), dueAt: null, stored: null, sealed: new Uint8Array(10) },
        });
        files.update(seq, { state: "failed", updatedAt: now });
      }
    });
    await evictDurableObject(stub);
    expect((await replay({ dry_run: true })).json.matched).toBe("1000+");
    const { json } = await replay();
    for (let run = 0; run < 3; run++) await runJobs(bindings, Date.now());
    expect(await jobOf(json.job.id)).toMatchObject({ matched: "1000+", done: 500, status: "running" });
    const queued: string[] = [];
    await runInDurableObject(stub, (_object, { storage }) => {
      const { files } = new GateState(storage.sql, now, Math.random);
      for (const row of files.range("0".repeat(20), "Z".repeat(20), 2_000))
        if (row.state === "queued") queued.push(fileIdOf(gate, row.seq));
    });
    expect(queued).toHaveLength(500);
    const claim = await stub.claim(queued);
    for (const { fileId, token } of claim.files)
      await stub.settle(fileId, token, { kind: "forwarded", recordsTotal: null });
    await runJobs(bindings, Date.now());
    const { done } = await jobOf(json.job.id);
    expect(done).toBe(1_000);
    await portal("DELETE", `/jobs/${json.job.id}`);
    await runJobs(bindings, Date.now());
    expect(await jobOf(json.job.id)).toMatchObject({ done, status: "cancelled" });
  }, 60_000);
});

describe("files that only the archive still has", () => {
  /** Archives the files of the connection's gate, and has it forget them. */
  async function forget(fileIds: string[]): Promise<void> {
    const gate = gateOfFile(fileIds[0] ?? "");
    for (const ms of [2 * 60_000, 3 * HOUR, 98 * DAY, DAY]) {
      advance(ms);
      await runDurableObjectAlarm(gate);
    }
    for (const fileId of fileIds) expect(await gate.status(fileId)).toBeNull();
  }

  /** As a put does that meets its deadline, arrives all the same, and is repeated. */
  async function copySegments(): Promise<void> {
    const { objects } = await ARCHIVE.list({ prefix: `archive/7y/connection/${connection.id}/` });
    expect(objects).toHaveLength(1);
    for (const { key } of objects) {
      const bytes = await (await ARCHIVE.get(key))?.arrayBuffer();
      await ARCHIVE.put(key.replace(".seg", "-1.seg"), bytes ?? null);
    }
  }

  it.each([
    ["100 days", 100 * DAY],
    ["6 years", 6 * 365 * DAY],
  ])("of %s ago are forwarded once, with their bytes untouched", async (_age, age) => {
    const present = Date.now();
    vi.useFakeTimers({ toFake: ["Date"] });
    vi.setSystemTime(present - age);
    connection = await createBoundConnection();
    const body = `${report()}\n`;
    const files = [await completedFile(body), await completedFile()];
    const since = at(present - age - HOUR);
    const until = at(present - age + HOUR);
    await forget(files);
    if (Date.now() < present) vi.setSystemTime(present);
    const range = { since, until };
    expect((await replay({ ...range, dry_run: true })).json.matched).toBe(0);
    const wanted = { ...range, include_completed: true };
    const { matched } = (await replay({ ...wanted, dry_run: true })).json;
    expect(matched).toBe(2);
    wakeUps.length = 0;
    const { json } = await replay({ ...wanted, count: matched });
    expect(await jobOf(json.job.id)).toMatchObject({ matched: 2, done: 2, status: "done" });
    const { received, using } = creatorThat();
    await deliver(wakeUps.splice(0), using);
    await deliverFiles(files, using);
    expect(received.map(({ fileId }) => fileId).sort()).toEqual(files.toSorted());
    const again = received.find(({ fileId }) => fileId === files[0]);
    expect(again?.sha256).toBe(await sha256(new TextEncoder().encode(body)));
    const [, generation] = again?.key.split(".") ?? [];
    expect(Number(generation)).toBeGreaterThan(1_000_000);
    expect(await statusesOf(files)).toEqual(["processing", "processing"]);
  });

  it("are restored once, wherever the cron dies between two calls, and stay until they have been settled for a week", async () => {
    let dies = 0;
    let made = 0;
    do {
      dies++;
      vi.useRealTimers();
      connection = await createBoundConnection();
      const since = at(Date.now() - HOUR);
      const file = await completedFile();
      const until = at(Date.now() + HOUR);
      await forget([file]);
      const id = await begun({ since, until, include_completed: true, count: 1 });
      made = await runUntilLost(dies, true);
      const { received, using } = creatorThat();
      await deliverFiles([file], using);
      expect(await runToTheEnd(id)).toMatchObject({ done: 1, status: "done" });
      await deliverFiles([file], using);
      expect(received).toHaveLength(1);
      if (dies > 1) continue;
      const gate = gateOfFile(file);
      advance(2 * DAY);
      await runDurableObjectAlarm(gate);
      expect(await gate.status(file)).toMatchObject({ status: "processing" });
      for (const days of [6, 1, 1]) {
        advance(days * DAY);
        await runDurableObjectAlarm(gate);
      }
      expect(await gate.status(file)).toBeNull();
    } while (made >= dies);
    expect(dies).toBeGreaterThan(8);
  }, 90_000);

  it("count once each, although a second segment holds them too", async () => {
    const since = at(Date.now() - HOUR);
    const first = await completedFile();
    const until = at(Date.now() + 12 * HOUR);
    for (const ms of [2 * 60_000, 3 * HOUR]) {
      advance(ms);
      await runDurableObjectAlarm(gateOfFile(first));
    }
    await copySegments();
    const second = await completedFile();
    await forget([first, second]);
    const wanted = { since, until, include_completed: true };
    expect((await replay({ ...wanted, dry_run: true })).json.matched).toBe(2);
    const { json } = await replay({ ...wanted, count: 2 });
    expect(await runToTheEnd(json.job.id)).toMatchObject({ matched: 2, done: 2, status: "done" });
    expect(await statusesOf([first, second])).toEqual(["queued", "queued"]);
    for (const file of [first, second]) expect(await replaysOf(file)).toHaveLength(1);
  });

  it.each([
    ["away", () => without("ARCHIVE")],
    ["hanging", () => hanging("ARCHIVE")],
  ])("wait for a bucket that is %s", async (_how, broken) => {
    const since = at(Date.now() - HOUR);
    const file = await completedFile();
    const until = at(Date.now() + HOUR);
    await forget([file]);
    const id = await begun({ since, until, include_completed: true, count: 1 });
    await runJobs(broken(), Date.now());
    expect(await jobOf(id)).toMatchObject({ done: 0, status: "running" });
    expect(await runToTheEnd(id)).toMatchObject({ done: 1, status: "done" });
  });

  it("cannot be restored after an erasure, and the job says so", async () => {
    const since = at(Date.now() - HOUR);
    const file = await completedFile();
    const until = at(Date.now() + HOUR);
    await forget([file]);
    const body = { since, until, include_completed: true };
    const id = await begun({ ...body, count: 1 });
    const row = await DB.prepare("SELECT version FROM connections WHERE id = ?")
      .bind(connection.id)
      .first<number>("version");
    await gateOf(connection).refresh({
      ...{ gate: { kind: "connection", id: connection.id }, version: Date.now() + Number(row) },
      ...{ plan: "production", environment: "production", retentionYears: 7, wrappedKey: "" },
    });
    expect(await runToTheEnd(id)).toMatchObject({ done: 0, status: "failed", reason: "erased" });
    expect(await replay({ ...body, dry_run: true })).toMatchObject({
      status: 409,
      json: { error: "files_erased" },
    });
  });
});
