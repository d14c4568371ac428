import { listDurableObjectIds, runDurableObjectAlarm } from "cloudflare:test";
import { describe, expect, it, vi } from "vitest";
import { mintFileId } from "../../../src/gate/file-id.ts";
import { columnOf } from "../../support/at-rest.ts";
import {
  ACCEPTED,
  accepted,
  advance,
  answering,
  bringToTheEnd,
  creatorThat,
  deliverFiles,
  gateOfFile,
  recordOf,
  stuckFileOf,
  wakeUpsOfEachTest,
} from "../../support/forwarding.ts";
import {
  bindings,
  createApiKey,
  createBoundConnection,
  createConnection,
  fileStatus,
  type Json,
  portal,
} from "../../support/gateway.ts";

const HOUR_MS = 3_600_000;
const wakeUps = wakeUpsOfEachTest();
let events = 0;

function reportOn(fileId: string, type: string, data: Json = {}, id = `evt_${++events}`, client = "portal") {
  return portal("POST", "/events", { id, type, data: { fileId, ...data } }, client);
}

describe("a report of the files-creator", () => {
  const before = {
    queued: [] as string[],
    processing: ["file.validated"],
    completed: ["file.processed"],
    failed: ["file.failed"],
  };

  it.each([
    ["queued", "file.validated", "processing"],
    ["queued", "file.processed", "completed"],
    ["queued", "file.failed", "failed"],
    ["processing", "file.validated", "processing"],
    ["processing", "file.processed", "completed"],
    ["processing", "file.failed", "failed"],
    ["completed", "file.validated", "completed"],
    ["completed", "file.processed", "completed"],
    ["completed", "file.failed", "completed"],
    ["failed", "file.validated", "failed"],
    ["failed", "file.processed", "failed"],
    ["failed", "file.failed", "failed"],
  ] as const)("on a file that is %s: %s makes it %s", async (status, type, after) => {
    const fileId = await accepted(await createBoundConnection());
    for (const earlier of before[status]) await reportOn(fileId, earlier);
    expect(await recordOf(fileId)).toMatchObject({ status });
    expect(await reportOn(fileId, type)).toMatchObject({
      status: 202,
      json: { success: true, file_id: fileId, status: after, duplicate: false },
    });
    expect(await recordOf(fileId)).toMatchObject({ status: after });
  });

  it("keeps the counts it names, newer over older, and leaves the others alone", async () => {
    const key = await createApiKey();
    const fileId = await accepted(await createBoundConnection());
    await reportOn(fileId, "file.validated", { recordsTotal: 10 });
    await reportOn(fileId, "file.validated", { recordsProcessed: 4, more: "ignored" });
    await reportOn(fileId, "file.processed", { recordsProcessed: 9, recordsFailed: 1 });
    expect((await fileStatus(key.token, fileId)).json).toMatchObject({
      status: "completed",
      records_total: 10,
      records_processed: 9,
      records_failed: 1,
    });
  });

  it("counts once, however often it is sent", async () => {
    const fileId = await accepted(await createBoundConnection());
    expect((await reportOn(fileId, "file.validated", {}, "evt_same")).json.duplicate).toBe(false);
    const again = await reportOn(fileId, "file.processed", {}, "evt_same");
    expect(again).toMatchObject({ status: 202, json: { duplicate: true, status: "processing" } });
    const other = await accepted(await createBoundConnection());
    expect((await reportOn(other, "file.validated", {}, "evt_same")).json.duplicate).toBe(false);
  });

  it("that fails a file lists it for operators", async () => {
    const fileId = await accepted(await createBoundConnection());
    await deliverFiles([fileId], creatorThat().using);
    await reportOn(fileId, "file.failed");
    expect(await stuckFileOf(fileId)).toMatchObject({ reason: "reported_failed", response_status: null });
  });

  it.each([
    [{}, ["id", "type", "data"]],
    [{ id: "", type: "file.failed", data: { fileId: "x" } }, ["id"]],
    [{ id: "a b", type: "file.failed", data: { fileId: "x" } }, ["id"]],
    [{ id: "e", type: "file.uploaded", data: { fileId: "x" } }, ["type"]],
    [{ id: "e", type: "file.failed", data: {} }, ["data.fileId"]],
    [{ id: "e", type: "file.failed", data: { fileId: "x", recordsTotal: -1 } }, ["data.recordsTotal"]],
    [{ id: "e", type: "file.failed", data: { fileId: "x", recordsFailed: 1.5 } }, ["data.recordsFailed"]],
    [{ id: "e", type: "policy.renewed", timestamp: "yesterday", data: {} }, ["timestamp"]],
    [{ id: "e", type: "policy.renewed", created_at: 5, data: {} }, ["created_at"]],
  ])("%j is refused by what is wrong with it", async (body, paths) => {
    const answer = await portal("POST", "/events", body);
    expect(answer.status).toBe(400);
    const { details } = answer.json;
    expect(details.required ?? Object.keys(details)).toEqual(paths);
  });

  it.each([
    ["3", "Must be a number, not text: send 3 without quotes"],
    [1.5, "Must be a whole number; 1.5 was given"],
    [-1, "Must be at least 0; -1 was given"],
  ])("a count of records that is %j is told how to be sent", async (recordsTotal, problem) => {
    const report = { id: "e", type: "file.failed", data: { fileId: "x", recordsTotal } };
    const { json } = await portal("POST", "/events", report);
    expect(json.details).toEqual({ "data.recordsTotal": problem });
    const batch = await portal("POST", "/events", { events: [report] });
    expect(batch.json.details).toEqual({ "events[0].data.recordsTotal": problem });
  });
});

describe("a report that overtakes the response to POST /files", () => {
  it.each([
    ["file.validated", "processing"],
    ["file.processed", "completed"],
    ["file.failed", "failed"],
  ])("%s: the file is %s, before and after the answer, and is never sent again", async (type, status) => {
    let seen: unknown;
    const { received, using } = creatorThat(async ({ fileId }) => {
      seen = (await reportOn(fileId, type, { recordsTotal: 7 })).json.status;
      return ACCEPTED();
    });
    const fileId = await accepted(await createBoundConnection());
    await deliverFiles([fileId], using);
    expect(seen).toBe(status);
    expect(await recordOf(fileId)).toMatchObject({ status, recordsTotal: 7, attempts: 1 });
    advance(HOUR_MS);
    await deliverFiles([fileId], using);
    expect(received).toHaveLength(1);
  });

  it.each([503, 422])("a %i afterwards changes nothing any more", async (code) => {
    const { received, using } = creatorThat(async ({ fileId }) => {
      await reportOn(fileId, "file.processed");
      return new Response(null, { status: code });
    });
    const fileId = await accepted(await createBoundConnection());
    await deliverFiles([fileId], using);
    expect(await recordOf(fileId)).toMatchObject({ status: "completed" });
    expect(await stuckFileOf(fileId)).toBeNull();
    advance(HOUR_MS);
    await deliverFiles([fileId], using);
    expect(received).toHaveLength(1);
  });

  it("and fails a file keeps it listed, although its second attempt was accepted", async () => {
    const fileId = await accepted(await createBoundConnection());
    await deliverFiles([fileId], creatorThat(answering(503)).using);
    advance(HOUR_MS);
    const { using } = creatorThat(async () => {
      await reportOn(fileId, "file.failed");
      return ACCEPTED();
    });
    await deliverFiles([fileId], using);
    expect(await recordOf(fileId)).toMatchObject({ status: "failed" });
    expect(await stuckFileOf(fileId)).toMatchObject({ reason: "reported_failed" });
  });

  it("ends a file that was deferred", async () => {
    const { received, using } = creatorThat(answering(503));
    const fileId = await accepted(await createBoundConnection());
    await deliverFiles([fileId], using);
    await reportOn(fileId, "file.validated");
    await bringToTheEnd(fileId, wakeUps, using);
    expect(received).toHaveLength(1);
    expect(await recordOf(fileId)).toMatchObject({ status: "processing", nextAttemptAt: null });
  });
});

describe("replaying a file", () => {
  const replay = (fileId: string, client?: string) =>
    portal("POST", `/files/${fileId}/replay`, undefined, client);

  async function settled(status: "completed" | "failed", body?: string) {
    const fileId = await accepted(await createBoundConnection(), body);
    const { received, using } = creatorThat(answering(status === "failed" ? 422 : 202));
    await deliverFiles([fileId], using);
    if (status === "completed") await reportOn(fileId, "file.processed");
    expect(await recordOf(fileId)).toMatchObject({ status });
    wakeUps.length = 0;
    return { fileId, sha256: received[0]?.sha256 };
  }

  it.each(["completed", "failed"] as const)(
    "that has %s sends it again under a key of its own, then once more under another",
    async (status) => {
      const { fileId, sha256 } = await settled(status);
      for (const generation of [2, 3]) {
        expect(await replay(fileId)).toMatchObject({
          status: 202,
          json: { success: true, file_id: fileId, status: "queued", generation },
        });
        expect(wakeUps.splice(0)).toEqual([{ file_ids: [fileId] }]);
        expect(await recordOf(fileId)).toMatchObject({ status: "queued", generation, attempts: 0 });
        const { received, using } = creatorThat();
        await deliverFiles([fileId], using);
        expect(received).toMatchObject([{ fileId, key: `${fileId}.${generation}`, sha256 }]);
        expect(received[0]?.headers.get("X-Audit1-Attempt")).toBe("1");
        expect(await recordOf(fileId)).toMatchObject({ status: "processing", generation });
        expect(await stuckFileOf(fileId)).toBeNull();
        await reportOn(fileId, "file.processed");
      }
    },
  );

  it("keeps one key over all attempts of a generation", async () => {
    const { fileId } = await settled("failed");
    await replay(fileId);
    const { received, using } = creatorThat(answering(503, 500));
    await bringToTheEnd(fileId, wakeUps, using);
    expect(received.map(({ key }) => key)).toEqual(Array(3).fill(`${fileId}.2`));
  });

  it("whose wake-up is lost is forwarded by the gate's alarm", async () => {
    const { fileId } = await settled("completed");
    vi.mocked(bindings.FILES.send).mockRejectedValueOnce(new Error("the queue is away"));
    expect((await replay(fileId)).status).toBe(202);
    const { received, using } = creatorThat();
    await bringToTheEnd(fileId, wakeUps, using);
    expect(received).toHaveLength(1);
  });

  it.each([
    ["a small report", undefined],
    ["a large report", JSON.stringify({ employees: [{ name: "A" }], pad: "x".repeat(70_000) })],
  ])("after it was archived reads it from there: %s", async (_name, body) => {
    const { fileId, sha256 } = await settled("completed", body);
    for (let hour = 0; hour < 3; hour++) {
      advance(HOUR_MS);
      await runDurableObjectAlarm(gateOfFile(fileId));
    }
    expect(await columnOf(fileId, "payload")).toBeNull();
    expect(await columnOf(fileId, "stored")).toContain(".seg");
    expect((await replay(fileId)).status).toBe(202);
    const { received, using } = creatorThat();
    await deliverFiles([fileId], using);
    expect(received).toMatchObject([{ key: `${fileId}.2`, sha256 }]);
  });

  it("that is queued or being processed is refused with 409", async () => {
    const fileId = await accepted(await createBoundConnection());
    for (let i = 0; i < 2; i++) {
      expect(await replay(fileId)).toMatchObject({
        status: 409,
        json: { error: "file_not_settled", code: "CONFLICT" },
      });
      await deliverFiles([fileId], creatorThat().using);
    }
    expect(await recordOf(fileId)).toMatchObject({ status: "processing", generation: 1 });
  });

  it("twice at the same time makes one new generation", async () => {
    const { fileId } = await settled("failed");
    const answers = await Promise.all(Array.from({ length: 4 }, () => replay(fileId)));
    expect(answers.map(({ status }) => status).sort()).toEqual([202, 409, 409, 409]);
  });

  it("is not ended by a repeated report on the previous generation", async () => {
    const fileId = await accepted(await createBoundConnection());
    await deliverFiles([fileId], creatorThat().using);
    await reportOn(fileId, "file.processed", { recordsProcessed: 5 }, "evt_of_the_first");
    await replay(fileId);
    expect(await recordOf(fileId)).toMatchObject({ status: "queued", recordsProcessed: null });
    const late = await reportOn(fileId, "file.processed", { recordsProcessed: 5 }, "evt_of_the_first");
    expect(late.json).toMatchObject({ duplicate: true, status: "queued" });
    const { received, using } = creatorThat();
    await deliverFiles([fileId], using);
    expect(received.map(({ key }) => key)).toEqual([`${fileId}.2`]);
  });
});

describe("a file that is not the caller's", () => {
  const calls: [string, (fileId: string, client?: string) => ReturnType<typeof portal>][] = [
    ["POST /events", (fileId, client) => reportOn(fileId, "file.failed", {}, undefined, client)],
    [
      "POST /files/{id}/replay",
      (fileId, client) => portal("POST", `/files/${fileId}/replay`, undefined, client),
    ],
  ];
  const forged = (kind: "connection" | "key") =>
    mintFileId({ kind, id: crypto.randomUUID().replaceAll("-", "").slice(0, 24) }, Date.now());

  it.each(calls)("%s: a forged id answers 404 and creates no object", async (_name, call) => {
    const before = await listDurableObjectIds(bindings.CONNECTION_GATE);
    for (const fileId of [forged("connection"), forged("key"), "FILE_", `FILE_${"Z".repeat(40)}`, "x"]) {
      expect(await call(fileId)).toMatchObject({ status: 404, json: { error: "file_not_found" } });
    }
    expect(await listDurableObjectIds(bindings.CONNECTION_GATE)).toHaveLength(before.length);
  });

  it.each(calls)("%s: an unknown file of a known connection answers 404", async (_name, call) => {
    const { id } = await createBoundConnection();
    const fileId = mintFileId({ kind: "connection", id }, Date.now());
    expect(await call(fileId)).toMatchObject({ status: 404, json: { error: "file_not_found" } });
  });

  it.each(calls)(
    "%s: another owner's file is to a bound pair one that does not exist",
    async (_name, call) => {
      const theirs = await createConnection({ owner_id: "other", employer_id: "EMP_other" });
      const fileId = await accepted(theirs);
      const answers = await Promise.all([call(fileId, "bound"), call(forged("connection"), "bound")]);
      const [existing, missing] = answers.map(({ status, json }) => ({
        status,
        ...json,
        request_id: "",
        timestamp: "",
      }));
      expect(existing).toEqual(missing);
      expect(existing).toMatchObject({ status: 404 });
      expect(await recordOf(fileId)).toMatchObject({ status: "queued" });
    },
  );

  it("POST /events: a bound pair cannot move even its own file", async () => {
    const fileId = await accepted(await createBoundConnection());
    const answer = await reportOn(fileId, "file.processed", {}, undefined, "bound");
    expect(answer).toMatchObject({ status: 404, json: { error: "file_not_found" } });
    expect(await recordOf(fileId)).toMatchObject({ status: "queued" });
  });

  it("POST /events: a file is moved in either letter case of its id", async () => {
    const fileId = await accepted(await createBoundConnection());
    const answer = await reportOn(fileId.toLowerCase(), "file.validated");
    expect(answer).toMatchObject({ status: 202, json: { file_id: fileId, status: "processing" } });
  });
});
