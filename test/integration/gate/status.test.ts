import { evictDurableObject } from "cloudflare:test";
import { afterEach, describe, expect, it, vi } from "vitest";
import type { FileStatus } from "../../../src/gate/protocol.ts";
import { HOUR, inGate, newGate, SECOND, seqOf, unwoken } from "../../support/gate.ts";
import {
  createApiKey,
  createBoundConnection,
  fileStatus,
  gateOf,
  type Json,
  post,
  send,
} from "../../support/gateway.ts";

afterEach(() => {
  vi.useRealTimers();
});

const REFUSED = { kind: "refused", responseStatus: 422, error: new Uint8Array([1]) } as const;
const FORWARDED = { kind: "forwarded", recordsTotal: 1 } as const;

describe("the status of a file", () => {
  it("is correct from the moment of its 202, and after its gate was evicted", async () => {
    const connection = await createBoundConnection();
    const key = await createApiKey();
    const { json } = await post(connection, undefined, {}, unwoken);
    const expected = { file_id: json.file_id, status: "queued", attempts: 0, connection_id: connection.id };
    expect((await fileStatus(key.token, json.file_id)).json).toMatchObject(expected);
    await evictDurableObject(gateOf(connection));
    expect((await fileStatus(key.token, json.file_id)).json).toMatchObject(expected);
    expect((await fileStatus(key.token, json.file_id.toLowerCase())).json).toMatchObject(expected);
  });

  it.each<[FileStatus]>([["queued"], ["processing"], ["completed"], ["failed"]])(
    "stays %s through eviction and archiving",
    async (status) => {
      await inGate(await newGate(), async (bench) => {
        const fileId = bench.accept();
        if (status === "processing" || status === "completed") bench.forward(fileId, FORWARDED);
        if (status === "failed") bench.forward(fileId, REFUSED);
        if (status === "completed") {
          bench.lifecycle.report(
            seqOf(fileId),
            { eventId: "e", status, recordsProcessed: 5 },
            bench.clock.now,
          );
        }
        const record = () => {
          const row = bench.row(fileId);
          return row && bench.lifecycle.record(row);
        };
        const before = record();
        expect(before).toMatchObject({ fileId, status });
        bench.restart();
        expect(record()).toEqual(before);
        await bench.runAlarmsUntil(bench.clock.now + 3 * HOUR);
        bench.restart();
        expect(record()).toMatchObject({
          status,
          recordsProcessed: before?.recordsProcessed,
          updatedAt: before?.updatedAt,
        });
      });
    },
  );

  it("is unknown for a file that its gate never held", async () => {
    const gate = await newGate();
    await gate.stub.refresh(gate.snapshot);
    await inGate(gate, () => undefined);
    expect(await gate.stub.status(`FILE_${"0".repeat(40)}`)).toBeNull();
  });
});

describe("the list of a connection's files", () => {
  async function filled(): Promise<{ ids: string[]; page: (query?: string) => Promise<Json> }> {
    const connection = await createBoundConnection();
    const key = await createApiKey();
    const start = Date.now();
    const ids: string[] = [];
    for (let i = 0; i < 7; i++) {
      vi.setSystemTime(start + i * SECOND);
      ids.unshift((await post(connection, undefined, {}, unwoken)).json.file_id);
    }
    const page = async (query = "") =>
      (
        await send(`/api/v1/files?connection_id=${connection.id}${query}`, {
          headers: { Authorization: `Bearer ${key.token}` },
        })
      ).json;
    // Every third file, from the newest on, has failed.
    for (const fileId of ids.filter((_id, i) => i % 3 === 0)) {
      const { files } = await gateOf(connection).claim([fileId]);
      await gateOf(connection).settle(fileId, files[0]?.token ?? "", REFUSED);
    }
    return { ids, page };
  }

  const idsOf = (page: Json): string[] => page.files.map((file: Json) => file.file_id);

  it("is newest first, page by page, without a gap or a repeat", async () => {
    const { ids, page } = await filled();
    expect(idsOf(await page())).toEqual(ids);
    const seen: string[] = [];
    let cursor = "";
    do {
      const answer: Json = await page(`&limit=3${cursor && `&cursor=${cursor}`}`);
      seen.push(...idsOf(answer));
      cursor = answer.next_cursor ?? "";
    } while (cursor !== "");
    expect(seen).toEqual(ids);
  });

  it.each([1, 2, 100])("holds the files of one status, %i a page", async (limit) => {
    const { ids, page } = await filled();
    const seen: string[] = [];
    let cursor = "";
    do {
      const answer: Json = await page(`&status=failed&limit=${limit}${cursor && `&cursor=${cursor}`}`);
      expect(answer.files.length).toBeLessThanOrEqual(limit);
      seen.push(...idsOf(answer));
      cursor = answer.next_cursor ?? "";
    } while (cursor !== "");
    expect(seen).toEqual(ids.filter((_id, i) => i % 3 === 0));
  });

  it("is not shifted by files that arrive between two pages", async () => {
    await inGate(await newGate(), (bench) => {
      const ids = [1, 2, 3, 4].map(() => {
        bench.clock.now += 1;
        return bench.accept();
      });
      ids.reverse();
      const first = bench.files.list(null, 2).map((row) => row.seq);
      bench.clock.now += 1;
      bench.accept();
      const second = bench.files.list(first.at(-1) ?? null, 2).map((row) => row.seq);
      expect([...first, ...second]).toEqual(ids.map(seqOf));
    });
  });

  it("omits reserved and dropped files", async () => {
    await inGate(await newGate(), async (bench) => {
      const file = bench.accept();
      const reserved = bench.accept({ sealed: null });
      const listed = () => bench.files.list(null, 10).map((row) => row.seq);
      expect(listed()).toEqual([seqOf(file)]);
      bench.onCall = (call) => (call.startsWith("delete") ? "before" : undefined);
      await bench.runAfter(HOUR);
      expect(bench.row(reserved)?.state).toBe("dropped");
      expect(listed()).toEqual([seqOf(file)]);
    });
  });
});
