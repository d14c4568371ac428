/**
 * Gates without a Worker in front. {@link newGate} makes a real object; {@link inGate} assembles a gate's parts over a real object's
 * storage, with a clock, a queue and an archive that the test controls.
 */
import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import { vi } from "vitest";
import type { Bindings } from "../../src/bindings.ts";
import { dataKeyContext, payloadContext } from "../../src/crypto/contexts.ts";
import { type Bytes, integerToBase32, toBase64, toHex } from "../../src/crypto/encoding.ts";
import { newObjectId } from "../../src/crypto/ids.ts";
import { createDataKey, type DataKey, parseKeyRing, seal, unwrapDataKey } from "../../src/crypto/vault.ts";
import { Admissions } from "../../src/gate/admission.ts";
import {
  type Manifest,
  parseTrailer,
  SEGMENT_FOOTER_BYTES,
  trailerLength,
} from "../../src/gate/archive-format.ts";
import { Archiver } from "../../src/gate/archiver.ts";
import type { ConnectionGate } from "../../src/gate/connection-gate.ts";
import { DayPartitions } from "../../src/gate/day-partitions.ts";
import { mintFileId, parseFileId } from "../../src/gate/file-id.ts";
import { FileLifecycle } from "../../src/gate/file-lifecycle.ts";
import type { FileRow } from "../../src/gate/file-row.ts";
import type { FileStore } from "../../src/gate/file-store.ts";
import { Maintenance } from "../../src/gate/maintenance.ts";
import type { Admission, Admitted, Claimed, FileFacts, Outcome, Snapshot } from "../../src/gate/protocol.ts";
import { GateState } from "../../src/gate/state.ts";
import { type GateAddress, type GateKind, gateName } from "../../src/model.ts";
import { HandOver } from "../../src/usage/hand-over.ts";
import { bindings } from "./gateway.ts";

export const SECOND = 1_000;
export const MINUTE = 60_000;
export const HOUR = 3_600_000;
export const DAY = 86_400_000;

/** A Worker whose wake-ups are lost: accepted files stay queued until an alarm or the test wakes them. */
export const unwoken: Bindings = { ...bindings, FILES: lostQueue() };

function lostQueue(): Bindings["FILES"] {
  const away = () => Promise.reject(new Error("the queue is away"));
  return { send: away, sendBatch: away, metrics: away };
}

/** Waits until `check` stops throwing; long enough for a busy machine. */
export function eventually(check: () => Promise<unknown>): Promise<unknown> {
  return vi.waitFor(check, { timeout: 15_000 });
}

export interface TestGate {
  address: GateAddress;
  stub: DurableObjectStub<ConnectionGate>;
  snapshot: Snapshot;
  dataKey: DataKey;
}

/** A new gate, with a data key that the tests' ring unwraps. It has not been called yet. */
export async function newGate(
  fields: Partial<Snapshot> = {},
  kind: GateKind = "connection",
): Promise<TestGate> {
  const address: GateAddress = { kind, id: newObjectId() };
  const ring = parseKeyRing(bindings.VAULT_KEYS);
  const wrappedKey = await createDataKey(ring, dataKeyContext(address));
  return {
    address,
    stub: bindings.CONNECTION_GATE.getByName(gateName(address)),
    snapshot: {
      gate: address,
      version: 1,
      plan: "production",
      environment: "production",
      retentionYears: 7,
      wrappedKey,
      ...fields,
    },
    dataKey: await unwrapDataKey(ring, wrappedKey, dataKeyContext(address)),
  };
}

/** As {@link newGate}, with its row in D1. */
export async function registeredGate(
  fields: Partial<Snapshot> = {},
  owner = { owner_type: "payroll_company", owner_id: "acme" },
): Promise<TestGate> {
  const gate = await newGate(fields);
  const { id } = gate.address;
  await bindings.DB.prepare(
    `INSERT INTO connections (id, type, owner_type, owner_id, status, plan, environment, secrets, data_key,
       version, gate_version, created_at, updated_at)
     VALUES (?1, 'webhook', ?2, ?3, 'active', 'production', ?4, '[]', '', 1, 1, 0, 0)`,
  )
    .bind(id, owner.owner_type, owner.owner_id, gate.snapshot.environment)
    .run();
  return gate;
}

export function randomBytes(length: number): Bytes {
  return crypto.getRandomValues(new Uint8Array(length));
}

export function randomSignature(): string {
  return toHex(randomBytes(32));
}

export function randomMac(): string {
  return toBase64(randomBytes(16));
}

export function factsAt(now: number, fields: Partial<FileFacts> = {}): FileFacts {
  return {
    kind: "payroll_report",
    employerId: "EMP_1",
    environment: "production",
    contentType: "application/json",
    requestId: "req_1",
    size: 100,
    receivedAt: now,
    ...fields,
  };
}

let minted = 0;

/** A file id whose row key differs from the previous 2,047, although a test's clock stands still. */
export function mintApart(gate: GateAddress, now: number): string {
  const fileId = mintFileId(gate, now);
  const place = integerToBase32((minted++ % 2_048) * 16, 3);
  return fileId.slice(0, -10) + place + fileId.slice(-7);
}

/** What a Worker would send to `gate` at `now` for one signed request, different from every other. */
export function admissionAt(
  { address, snapshot }: Pick<TestGate, "address" | "snapshot">,
  now: number,
  fields: Partial<Admission> = {},
): Admission {
  return {
    known: snapshot,
    fileId: mintApart(address, now),
    facts: JSON.stringify(factsAt(now)),
    signed: { signature: randomSignature(), timestampMs: now },
    bodyMac: randomMac(),
    keyMac: null,
    sameBody: "accept",
    sealed: randomBytes(100),
    ...fields,
  };
}

/** A payload sealed as the Worker seals it. */
export function sealFor({ address, dataKey }: TestGate, fileId: string, body: Bytes): Promise<Bytes> {
  return seal(dataKey, body, payloadContext(address, fileId));
}

export function seqOf(fileId: string): string {
  const parsed = parseFileId(fileId);
  if (parsed === null) throw new Error(`not a file id: ${fileId}`);
  return parsed.seq;
}

/** How an outside call fails: it throws before or after it took effect, or the object dies during the call. */
export type Failing = "before" | "after" | "death";

/** The parts of one gate over its real storage. */
export class Bench {
  readonly clock = { now: Date.now() };
  /** File ids of every wake-up that reached the queue. */
  readonly woken: string[][] = [];
  /** The contents of the archive bucket. */
  readonly archive = new Map<string, Bytes>();
  /** Called for every outside call, in order: `wake`, `put …`, `delete …`. Throw or wait here to simulate an outage. */
  onCall: (call: string) => Failing | undefined | Promise<undefined> = () => undefined;
  readonly #deaths = Promise.withResolvers<never>();
  readonly sql: SqlStorage;
  readonly gate: TestGate;
  archiveAfterMs = HOUR;
  /** Where counts are handed over to. */
  db = bindings.DB;
  files!: FileStore;
  state!: GateState;
  admissions!: Admissions;
  lifecycle!: FileLifecycle;
  archiver!: Archiver;
  maintenance!: Maintenance;

  constructor(gate: TestGate, sql: SqlStorage) {
    this.gate = gate;
    this.sql = sql;
    this.restart();
  }

  /** Restarts the object, as after an eviction: everything in memory is lost, including leases. */
  restart(): void {
    this.state = new GateState(this.sql, this.clock.now, () => 0.5);
    this.files = this.state.files;
    this.admissions = new Admissions(this.state);
    const lifecycle = new FileLifecycle(this.state, this.archiveAfterMs);
    this.lifecycle = lifecycle;
    const archive = {
      put: (key: string, value: Bytes | string) =>
        this.#outside(`put ${key}`, () => {
          this.archive.set(
            key,
            typeof value === "string" ? (new TextEncoder().encode(value) as Bytes) : value,
          );
          return {} as R2Object;
        }),
      delete: (key: string) => this.#outside(`delete ${key}`, () => void this.archive.delete(key)),
    };
    this.archiver = new Archiver(this.state, {
      bucket: archive as unknown as R2Bucket,
      archiveAfterMs: this.archiveAfterMs,
      now: () => this.clock.now,
    });
    this.maintenance = new Maintenance(this.state, {
      archiver: this.archiver,
      handOver: new HandOver({
        db: this.db,
        hours: this.state.changedHours,
        scope: () => this.state.gate,
        countHour: (at) => this.state.countHour(at, () => Promise.resolve()),
        now: () => this.clock.now,
      }),
      raise: () => Promise.resolve(true),
      clear: () => Promise.resolve(true),
      wake: (messages) =>
        this.#outside("wake", () => void this.woken.push(...messages.map((message) => message.file_ids))),
      isLeased: (seq, now) => lifecycle.isLeased(seq, now),
      now: () => this.clock.now,
      random: () => 0.5,
    });
  }

  async #outside<T>(call: string, effect: () => T): Promise<T> {
    const failing = await this.onCall(call);
    if (failing === "before") throw new Error(`${call}: away`);
    const result = effect();
    if (failing === "after") throw new Error(`${call}: the answer was lost`);
    if (failing === "death") return this.#deaths.promise;
    return result;
  }

  /** Ends the calls during which the object died, which otherwise hold it until their deadlines. */
  end(): void {
    this.#deaths.promise.catch(() => undefined);
    this.#deaths.reject(new Error("the object died"));
  }

  admission(fields: Partial<Admission> = {}): Admission {
    return admissionAt(this.gate, this.clock.now, fields);
  }

  admit(admission: Admission): Admitted {
    return this.admissions.admit(admission, this.clock.now);
  }

  /** Admits one ordinary report and returns its file id. */
  accept(fields: Partial<Admission> = {}): string {
    const admission = this.admission(fields);
    const { outcome } = this.admit(admission);
    if (outcome === "taken") return this.accept(fields);
    if (outcome !== "accepted" && outcome !== "reserved") throw new Error(`not accepted: ${outcome}`);
    return admission.fileId;
  }

  row(fileId: string): FileRow | null {
    return this.files.get(seqOf(fileId));
  }

  claim(fileId: string, acceptedMs: number | null = null): Claimed | undefined {
    return this.lifecycle.claim([fileId], this.clock.now, [acceptedMs]).files[0];
  }

  settle(fileId: string, token: string, outcome: Outcome) {
    return this.lifecycle.settle(seqOf(fileId), token, outcome, this.clock.now, 0.5);
  }

  /** Claims and settles, like a consumer whose calls all succeed. */
  forward(fileId: string, outcome: Outcome = { kind: "forwarded", recordsTotal: null }) {
    const claimed = this.claim(fileId);
    if (claimed === undefined) throw new Error(`${fileId} cannot be claimed`);
    return this.settle(fileId, claimed.token, outcome);
  }

  /** Advances the clock by `ms` and runs the alarm. */
  async runAfter(ms: number): Promise<void> {
    this.clock.now += ms;
    await this.maintenance.run();
  }

  /** Runs the alarm whenever it is due until `until`. Returns how often it ran. */
  async runAlarmsUntil(until: number): Promise<number> {
    let runs = 0;
    for (let at = this.maintenance.nextAt(); at !== null && at <= until; at = this.maintenance.nextAt()) {
      this.clock.now = Math.max(this.clock.now, at);
      await this.maintenance.run();
      if (++runs > 5_000) throw new Error("the alarm keeps running");
    }
    this.clock.now = Math.max(this.clock.now, until);
    return runs;
  }

  /** The bytes that a claim would return, from the row or from the archive. */
  sealedOf(fileId: string): Bytes | null {
    const stored = this.row(fileId)?.stored;
    const inline = this.files.payload(seqOf(fileId));
    if (!stored) return inline;
    return this.archive.get(stored.key)?.slice(stored.offset, stored.offset + stored.length) ?? null;
  }
}

/** Reads a segment with nothing but the bucket. */
export function manifestOf(segment: Bytes): Manifest {
  const length = trailerLength(segment.slice(-SEGMENT_FOOTER_BYTES));
  return parseTrailer(segment.slice(-length));
}

/** The manifests of all segments in the archive. */
export function segmentsOf(bench: Bench): Manifest[] {
  return [...bench.archive]
    .filter(([key]) => key.startsWith("archive/"))
    .map(([, bytes]) => manifestOf(bytes));
}

/** Runs a statement that names `inbox` on every day partition. Returns all rows. */
export function onInbox(
  sql: SqlStorage,
  statement: string,
  ...values: SqlStorageValue[]
): Record<string, SqlStorageValue>[] {
  return new DayPartitions(sql).all.flatMap((partition) => partition.exec(statement, ...values).toArray());
}

/** Runs `work` with the parts of `gate` inside its object, which is evicted afterwards. */
export async function inGate<R>(gate: TestGate, work: (bench: Bench) => R | Promise<R>): Promise<R> {
  const result = await runInDurableObject(gate.stub, async (_object, { storage }) => {
    const bench = new Bench(gate, storage.sql);
    try {
      return await work(bench);
    } finally {
      bench.end();
    }
  });
  await evictDurableObject(gate.stub);
  return result;
}

/** Sums the rows that every statement through it has written and read, indexes included. */
export function countingRows(sql: SqlStorage): { sql: SqlStorage; written(): number; read(): number } {
  const cursors: SqlStorageCursor<Record<string, SqlStorageValue>>[] = [];
  const counting = new Proxy(sql, {
    get(target, name) {
      if (name !== "exec") return Reflect.get(target, name, target);
      return (query: string, ...values: SqlStorageValue[]) => {
        const cursor = target.exec(query, ...values);
        cursors.push(cursor);
        return cursor;
      };
    },
  });
  return {
    sql: counting,
    written: () => cursors.reduce((sum, cursor) => sum + cursor.rowsWritten, 0),
    read: () => cursors.reduce((sum, cursor) => sum + cursor.rowsRead, 0),
  };
}
