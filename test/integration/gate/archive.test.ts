import { runDurableObjectAlarm } from "cloudflare:test";
import { afterEach, describe, expect, it, vi } from "vitest";
import { dataKeyContext, payloadContext } from "../../../src/crypto/contexts.ts";
import { type Bytes, utf8 } from "../../../src/crypto/encoding.ts";
import { parseKeyRing, unseal, unwrapDataKey } from "../../../src/crypto/vault.ts";
import {
  buildSegment,
  type KeyObject,
  keyObjectKey,
  SEGMENT_FOOTER_BYTES,
  segmentKey,
  trailerLength,
} from "../../../src/gate/archive-format.ts";
import { parseGateName } from "../../../src/model.ts";
import {
  type Bench,
  eventually,
  type Failing,
  factsAt,
  HOUR,
  inGate,
  MINUTE,
  manifestOf,
  newGate,
  randomBytes,
  SECOND,
  sealFor,
  segmentsOf,
  seqOf,
  type TestGate,
} from "../../support/gate.ts";
import {
  bindings,
  createApiKey,
  createBoundConnection,
  fileStatus,
  filesCreator,
  gateOf,
  portal,
  post,
  report,
} from "../../support/gateway.ts";

afterEach(() => {
  vi.useRealTimers();
});

async function bytesAt(key: string): Promise<Bytes> {
  const object = await bindings.ARCHIVE.get(key);
  if (object === null) throw new Error(`nothing lies at ${key}`);
  return new Uint8Array(await object.arrayBuffer());
}

describe("the archive of a connection", () => {
  it("is readable with only the bucket and the key ring, byte for byte, inline and large payloads alike", async () => {
    const connection = await createBoundConnection();
    const bodies = [report(), report({ note: "ünïcode" }), report({ note: "x".repeat(100_000) })];
    const sent = new Map<string, string>();
    for (const body of bodies) {
      const { json } = await post(connection, body);
      sent.set(json.file_id, body);
      await eventually(async () =>
        expect((await gateOf(connection).status(json.file_id))?.status).toBe("processing"),
      );
    }
    vi.setSystemTime(Date.now() + HOUR + 2 * MINUTE);
    await runDurableObjectAlarm(gateOf(connection));

    const listed = await bindings.ARCHIVE.list({ prefix: `archive/7y/connection/${connection.id}/` });
    expect(listed.objects).toHaveLength(2);
    const key: KeyObject = JSON.parse(
      new TextDecoder().decode(await bytesAt(`keys/connection/${connection.id}.json`)),
    );
    const read = new Map<string, string>();
    for (const object of listed.objects) {
      expect(object.key).toMatch(/\/\d{4}\/\d{2}\/\d{2}\/[0-9A-Z]{20}\.seg$/);
      const segment = await bytesAt(object.key);
      const manifest = manifestOf(segment);
      const gate = parseGateName(manifest.gate);
      if (gate === null) throw new Error("the manifest names no gate");
      const dataKey = await unwrapDataKey(
        parseKeyRing(bindings.VAULT_KEYS),
        key.wrappedKey,
        dataKeyContext(gate),
      );
      for (const entry of manifest.files) {
        expect(entry).toMatchObject({ kind: "payroll_report", employerId: connection.employerId });
        const sealed = segment.slice(entry.offset, entry.offset + entry.length);
        const body = await unseal(dataKey, sealed, payloadContext(gate, entry.fileId));
        expect(body.byteLength).toBe(entry.size);
        read.set(entry.fileId, new TextDecoder().decode(body));
      }
    }
    expect(read).toEqual(sent);
  });

  it("serves a replay with the same bytes, and the status stays correct", async () => {
    const connection = await createBoundConnection();
    const key = await createApiKey();
    const body = report();
    const { json } = await post(connection, body);
    const fileId: string = json.file_id;
    await eventually(async () =>
      expect((await gateOf(connection).status(fileId))?.status).toBe("processing"),
    );
    await portal("POST", "/events", {
      id: "evt_1",
      type: "file.processed",
      data: { fileId, recordsProcessed: 7 },
    });
    vi.setSystemTime(Date.now() + HOUR + 2 * MINUTE);
    await runDurableObjectAlarm(gateOf(connection));
    expect(
      (await bindings.ARCHIVE.list({ prefix: `archive/7y/connection/${connection.id}/` })).objects,
    ).toHaveLength(1);
    expect((await fileStatus(key.token, fileId)).json).toMatchObject({
      status: "completed",
      records_processed: 7,
    });

    expect((await portal("POST", `/files/${fileId}/replay`)).json).toMatchObject({
      generation: 2,
      status: "queued",
    });
    await eventually(async () => expect(await filesCreator.receivedFile(fileId)).toHaveLength(2));
    const [first, second] = await filesCreator.receivedFile(fileId);
    expect(second?.text).toBe(body);
    expect(second?.headers["idempotency-key"]).toBe(`${fileId}.2`);
    expect(first?.headers["idempotency-key"]).toBe(fileId);
    await eventually(async () =>
      expect((await fileStatus(key.token, fileId)).json).toMatchObject({
        status: "processing",
        generation: 2,
      }),
    );
  });
});

describe("archiving", () => {
  it("puts an hour of reports into one segment", async () => {
    await inGate(await newGate(), async (bench) => {
      const start = bench.clock.now;
      for (let minute = 0; minute < 180; minute++) {
        await bench.runAlarmsUntil(start + minute * MINUTE);
        bench.forward(bench.accept());
      }
      await bench.runAlarmsUntil(start + 5 * HOUR);
      const segments = segmentsOf(bench);
      expect(segments.length).toBeLessThanOrEqual(4);
      expect(segments.flatMap((segment) => segment.files)).toHaveLength(180);
    });
  });

  it("puts the files that an outage of the files-creator delayed into few segments", async () => {
    await inGate(await newGate(), async (bench) => {
      const start = bench.clock.now;
      const ids = Array.from({ length: 300 }, () => bench.accept());
      for (const fileId of ids) bench.forward(fileId, deferred());
      for (const fileId of ids) {
        await bench.runAlarmsUntil(bench.clock.now + 2 * SECOND);
        bench.forward(fileId);
      }
      await bench.runAlarmsUntil(start + 4 * HOUR);
      const segments = segmentsOf(bench);
      expect(segments.flatMap((segment) => segment.files)).toHaveLength(300);
      expect(segments.length).toBeLessThanOrEqual(4);
    });
  });

  it("starts another segment after four megabytes", async () => {
    await inGate(await newGate(), async (bench) => {
      const sealed = randomBytes(60_000);
      for (let i = 0; i < 150; i++) bench.forward(bench.accept({ sealed }));
      await bench.runAlarmsUntil(bench.clock.now + 2 * HOUR);
      const sizes = [...bench.archive]
        .filter(([key]) => key.startsWith("archive/"))
        .map(([, bytes]) => bytes.byteLength);
      expect(sizes).toHaveLength(3);
      expect(Math.max(...sizes)).toBeLessThan(4.2 * 1024 ** 2);
      expect(segmentsOf(bench).flatMap((segment) => segment.files)).toHaveLength(150);
    });
  });

  it.each([
    { name: "in the ordinary course", settle: (bench: Bench, id: string) => bench.forward(id) },
    {
      name: "after a deferral",
      settle: (bench: Bench, id: string) => {
        bench.forward(id, deferred());
        bench.clock.now += MINUTE;
        bench.forward(id);
      },
    },
    {
      name: "by a refusal",
      settle: (bench: Bench, id: string) =>
        bench.forward(id, { kind: "refused", responseStatus: 422, error: randomBytes(8) }),
    },
    {
      name: "by a report alone",
      settle: (bench: Bench, id: string) =>
        bench.lifecycle.report(seqOf(id), { eventId: "e", status: "completed" }, bench.clock.now),
    },
    {
      name: "a day after its admission",
      settle: (bench: Bench, id: string) => {
        bench.clock.now += 24 * HOUR;
        bench.forward(id);
      },
    },
  ])("archives a file that was settled $name, and drops the payload from its row", async ({ settle }) => {
    await inGate(await newGate(), async (bench) => {
      const sealed = randomBytes(100);
      const fileId = bench.accept({ sealed });
      const other = bench.accept();
      bench.forward(other);
      await bench.runAlarmsUntil(bench.clock.now + 30 * MINUTE);
      settle(bench, fileId);
      await bench.runAlarmsUntil(bench.clock.now + 3 * HOUR);
      expect(bench.files.payload(seqOf(fileId))).toBeNull();
      expect(bench.sealedOf(fileId)).toEqual(sealed);
      expect(bench.row(fileId)?.dueAt).toBeNull();
    });
  });

  it("does not archive files that are not settled", async () => {
    await inGate(await newGate(), async (bench) => {
      const fileId = bench.accept();
      bench.forward(bench.accept());
      await bench.runAlarmsUntil(bench.clock.now + 3 * HOUR);
      expect(bench.files.payload(seqOf(fileId))).not.toBeNull();
      expect(bench.row(fileId)?.state).toBe("queued");
    });
  });

  it.each(["in the ordinary course", "late"])(
    "leaves a file due that is replayed while its segment is being put (settled %s)",
    async (how) => {
      await inGate(await newGate(), async (bench) => {
        const sealed = randomBytes(100);
        const fileId = bench.accept({ sealed });
        if (how === "late") bench.forward(fileId, deferred());
        bench.clock.now += SECOND;
        bench.forward(fileId);
        bench.lifecycle.report(seqOf(fileId), { eventId: "e", status: "completed" }, bench.clock.now);
        bench.onCall = async (call) => {
          if (call.startsWith("put archive/")) bench.lifecycle.replay(seqOf(fileId), bench.clock.now);
          return undefined;
        };
        await bench.runAfter(2 * HOUR);
        expect(bench.row(fileId)).toMatchObject({ state: "queued", generation: 2 });
        bench.onCall = () => undefined;
        bench.woken.length = 0;
        await bench.runAlarmsUntil(bench.clock.now + 3 * MINUTE);
        expect(bench.woken.flat()).toContain(fileId);
        expect(bench.sealedOf(fileId)).toEqual(sealed);
        bench.forward(fileId);
        await bench.runAlarmsUntil(bench.clock.now + 3 * HOUR);
        expect(bench.sealedOf(fileId)).toEqual(sealed);
      });
    },
  );
});

describe("the key object beside the segments", () => {
  it("is replaced when the data key was rewrapped, even without new reports", async () => {
    const gate = await newGate();
    await inGate(gate, async (bench) => {
      bench.forward(bench.accept());
      await bench.runAlarmsUntil(bench.clock.now + 91 * 24 * HOUR);
      expect(keyOf(bench)).toMatchObject({ wrappedKey: gate.snapshot.wrappedKey });
      bench.restart();
      bench.state.learn({ ...gate.snapshot, version: 2, wrappedKey: "ring-2.abc" });
      await bench.runAlarmsUntil(bench.clock.now + MINUTE);
      expect(keyOf(bench)).toEqual({
        gate: `connection:${gate.address.id}`,
        version: 2,
        wrappedKey: "ring-2.abc",
      });
      expect(await bench.runAlarmsUntil(bench.clock.now + HOUR)).toBe(0);
    });
  });

  it("is retried once per minute while the archive is down", async () => {
    const gate = await newGate();
    await inGate(gate, async (bench) => {
      bench.forward(bench.accept());
      await bench.runAlarmsUntil(bench.clock.now + 2 * HOUR);
      bench.state.learn({ ...gate.snapshot, version: 2, wrappedKey: "ring-2.abc" });
      let tries = 0;
      bench.onCall = () => {
        tries++;
        return "before";
      };
      await bench.runAlarmsUntil(bench.clock.now + 10 * MINUTE);
      expect(tries).toBeGreaterThanOrEqual(9);
      expect(tries).toBeLessThanOrEqual(11);
      bench.onCall = () => undefined;
      await bench.runAlarmsUntil(bench.clock.now + 2 * MINUTE);
      expect(keyOf(bench)).toMatchObject({ version: 2 });
    });
  });

  it("is not made for a gate that never held a report", async () => {
    const gate = await newGate({}, "key");
    await inGate(gate, async (bench) => {
      bench.admissions.read(gate.snapshot, bench.clock.now);
      await bench.runAlarmsUntil(bench.clock.now + 5 * HOUR);
      expect(bench.archive.size).toBe(0);
    });
  });
});

describe("a gate whose data key was erased", () => {
  const erasure = (gate: TestGate) => ({ ...gate.snapshot, version: 2, wrappedKey: "" });

  it("deletes the key object, and retries once per minute while the archive is down", async () => {
    const gate = await newGate();
    await inGate(gate, async (bench) => {
      bench.forward(bench.accept());
      await bench.runAlarmsUntil(bench.clock.now + 2 * HOUR);
      expect(keyOf(bench)).toMatchObject({ version: 1 });
      bench.state.learn(erasure(gate));
      let tries = 0;
      bench.onCall = () => {
        tries++;
        return "before";
      };
      await bench.runAlarmsUntil(bench.clock.now + 10 * MINUTE);
      expect(tries).toBeGreaterThanOrEqual(9);
      expect(bench.archive.has(keyObjectKey(gate.address))).toBe(true);
      bench.onCall = () => undefined;
      await bench.runAlarmsUntil(bench.clock.now + 2 * MINUTE);
      expect(bench.archive.has(keyObjectKey(gate.address))).toBe(false);
      bench.restart();
      expect(await bench.runAlarmsUntil(bench.clock.now + HOUR)).toBe(0);
    });
  });

  it.each<Failing>(["after", "before"])(
    "deletes a key object that was on its way: the put failed %s it took effect",
    async (failing) => {
      const gate = await newGate();
      await inGate(gate, async (bench) => {
        bench.forward(bench.accept());
        bench.onCall = (call) => (call.startsWith("put keys/") ? failing : undefined);
        await bench.runAlarmsUntil(bench.clock.now + 2 * HOUR);
        bench.onCall = () => undefined;
        bench.state.learn(erasure(gate));
        await bench.runAlarmsUntil(bench.clock.now + 2 * MINUTE);
        expect(bench.archive.has(keyObjectKey(gate.address))).toBe(false);
      });
    },
  );

  it("leaves no key object whose put was running during the erasure", async () => {
    const gate = await newGate();
    await inGate(gate, async (bench) => {
      bench.forward(bench.accept());
      bench.onCall = (call) => {
        if (call.startsWith("put keys/")) bench.state.learn(erasure(gate));
        return undefined;
      };
      await bench.runAlarmsUntil(bench.clock.now + 3 * HOUR);
      expect(bench.archive.has(keyObjectKey(gate.address))).toBe(false);
      expect(JSON.stringify(bench.sql.exec("SELECT value FROM marks").toArray())).not.toContain(
        gate.snapshot.wrappedKey,
      );
    });
  });

  it("hands out nothing, fails what is queued, and replays nothing", async () => {
    const gate = await newGate();
    await inGate(gate, async (bench) => {
      const [done, waiting] = [bench.accept(), bench.accept()];
      bench.forward(done, { kind: "refused", responseStatus: 422, error: randomBytes(8) });
      bench.state.learn(erasure(gate));
      expect(bench.lifecycle.claim([waiting], bench.clock.now)).toEqual({ wrappedKey: "", files: [] });
      expect(bench.row(waiting)).toMatchObject({ state: "failed" });
      expect(bench.lifecycle.replay(seqOf(done), bench.clock.now)).toEqual({ outcome: "unknown" });
    });
  });

  it("admits no report from a caller that still has the data key", async () => {
    const gate = await newGate();
    await inGate(gate, async (bench) => {
      bench.accept();
      bench.state.learn(erasure(gate));
      expect(bench.admit(bench.admission())).toEqual({ outcome: "stale" });
    });
  });
});

describe("a crash in the middle of the maintenance", () => {
  /** Files in every state that the maintenance acts on, with their bytes. */
  function fill(bench: Bench): { kept: Map<string, Bytes>; reserved: string; lost: string } {
    const kept = new Map<string, Bytes>();
    const file = () => {
      const sealed = randomBytes(200);
      const fileId = bench.accept({ sealed });
      kept.set(fileId, sealed);
      return fileId;
    };
    for (let i = 0; i < 3; i++) bench.forward(file());
    for (let i = 0; i < 3; i++) {
      const late = file();
      bench.forward(late, deferred());
      bench.clock.now += SECOND;
      bench.forward(late);
    }
    const reserved = bench.accept({ sealed: null });
    bench.archive.set(bench.row(reserved)?.stored?.key ?? "", randomBytes(10));
    return { kept, reserved, lost: file() };
  }

  const CALLS = ["wake", "delete", "put keys/", "put late segment", "put ordinary segment"];

  describe.each<Failing>(["before", "after", "death"])("that strikes %s", (failing) => {
    it.each(CALLS.map((name, index) => [name, index] as const))(
      "call %s loses nothing",
      async (_name, index) => {
        await inGate(await newGate(), async (bench) => {
          const { kept, reserved, lost } = fill(bench);
          bench.clock.now += 2 * HOUR;
          let calls = 0;
          const struck = new Promise<void>((resolve) => {
            bench.onCall = () => {
              if (calls++ !== index) return undefined;
              resolve();
              return failing;
            };
          });
          const run = bench.maintenance.run();
          await struck;
          if (failing !== "death") await run;
          else await scheduler.wait(0);
          bench.restart();
          for (const [fileId, sealed] of kept) expect(bench.sealedOf(fileId)).toEqual(sealed);

          bench.onCall = () => undefined;
          await bench.runAlarmsUntil(bench.clock.now + 5 * MINUTE);
          for (const [fileId, sealed] of kept) expect(bench.sealedOf(fileId)).toEqual(sealed);
          for (const fileId of kept.keys()) {
            if (fileId !== lost) expect(bench.files.payload(seqOf(fileId))).toBeNull();
          }
          expect(bench.woken.flat()).toContain(lost);
          expect(bench.claim(lost)).toBeDefined();
          expect(bench.row(reserved)).toBeNull();
          const listed = segmentsOf(bench).flatMap((segment) => segment.files.map((file) => file.fileId));
          expect(listed.sort()).toEqual([...kept.keys()].filter((fileId) => fileId !== lost).sort());
        });
      },
    );
  });

  it("makes the five outside calls that the tests above interrupt", async () => {
    await inGate(await newGate(), async (bench) => {
      fill(bench);
      bench.clock.now += 2 * HOUR;
      const calls: string[] = [];
      bench.onCall = (call) => {
        calls.push(call);
        return undefined;
      };
      await bench.maintenance.run();
      expect(calls.map((call) => call.split("/")[0])).toEqual([
        "wake",
        "delete archive",
        "put keys",
        "put archive",
        "put archive",
      ]);
    });
  });
});

describe("a segment", () => {
  it.each([0, 1, 3])("of %i files locates each of them", async (count) => {
    const gate = await newGate();
    const files = await Promise.all(
      Array.from({ length: count }, async (_unused, i) => {
        const fileId = `FILE_${i}`;
        return { fileId, facts: factsAt(i), sealed: await sealFor(gate, fileId, utf8(`body ${i}`)) };
      }),
    );
    const { bytes, locations } = buildSegment(gate.address, "k", files);
    const manifest = manifestOf(bytes);
    expect(manifest.files.map((file) => file.fileId)).toEqual(files.map((file) => file.fileId));
    for (const { fileId, facts, sealed } of files) {
      const place = locations.get(fileId);
      expect(place).toMatchObject({ key: "k", length: sealed.byteLength });
      const offset = place?.offset ?? 0;
      expect(bytes.slice(offset, offset + sealed.byteLength)).toEqual(sealed);
      expect(manifest.files.find((file) => file.fileId === fileId)).toMatchObject({ ...facts, offset });
    }
  });

  it.each([
    ["too short", new Uint8Array(SEGMENT_FOOTER_BYTES - 1)],
    ["without its magic", new Uint8Array(SEGMENT_FOOTER_BYTES)],
  ])("is not recognized by a footer %s", (_name, footer) => {
    expect(() => trailerLength(footer)).toThrow("not an archive segment");
  });

  it("has an object key with its retention, its gate and its day", async () => {
    const { address } = await newGate();
    const seq = "01KKV3425V0000000000";
    expect(segmentKey(address, 3, seq)).toBe(`archive/3y/connection/${address.id}/2026/03/16/${seq}.seg`);
    expect(keyObjectKey(address)).toBe(`keys/connection/${address.id}.json`);
  });
});

function keyOf(bench: Bench): KeyObject {
  return JSON.parse(new TextDecoder().decode(bench.archive.get(keyObjectKey(bench.gate.address))));
}

it("names a segment after its oldest file, in whatever order its files settled", async () => {
  await inGate(await newGate(), async (bench) => {
    const oldest = bench.accept();
    bench.forward(oldest, deferred());
    bench.clock.now += MINUTE;
    const newer = bench.accept();
    bench.forward(newer, deferred());
    bench.clock.now += HOUR;
    bench.forward(newer);
    bench.clock.now += MINUTE;
    bench.forward(oldest);
    await bench.runAfter(2 * HOUR);
    const [key = "", ...others] = [...bench.archive.keys()].filter((name) => name.startsWith("archive/"));
    expect(others).toEqual([]);
    expect(key).toContain(`/${seqOf(oldest)}.seg`);
    expect(segmentsOf(bench)[0]?.files.map(({ fileId }) => fileId)).toEqual([newer, oldest]);
  });
});

function deferred() {
  return { kind: "deferred", responseStatus: 503, retryAfterMs: null, error: randomBytes(8) } as const;
}
