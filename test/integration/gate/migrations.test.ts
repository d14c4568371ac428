import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import { afterEach, describe, expect, it, vi } from "vitest";
import { sha256Hex } from "../../../src/crypto/encoding.ts";
import { MIGRATIONS, migrate } from "../../../src/gate/migrations.ts";
import { Bench, DAY, newGate, onInbox, unwoken } from "../../support/gate.ts";
import { createApiKey, createBoundConnection, fileStatus, gateOf, post } from "../../support/gateway.ts";

afterEach(() => {
  vi.restoreAllMocks();
});

/** The CREATE statements of these tables, without indentation. */
function schemaOf(sql: SqlStorage): string[] {
  return sql
    .exec(
      "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE '\\_cf%' ESCAPE '\\' ORDER BY name",
    )
    .toArray()
    .map((row) => String(row.sql).replace(/\s+/g, " "));
}

function layoutOf(sql: SqlStorage): number {
  return Number(sql.exec("SELECT value FROM marks WHERE name = 'layout'").one().value);
}

/** The storage of a gate, accessed outside the gate. */
function inStorage<R>(work: (storage: DurableObjectStorage) => R): Promise<R> {
  return newGate().then(({ stub }) => runInDurableObject(stub, (_gate, { storage }) => work(storage)));
}

/** A migration as it may be written: it changes every day partition. */
function addsColumn(sql: SqlStorage): void {
  const partitions = sql
    .exec("SELECT name FROM sqlite_schema WHERE type = 'table' AND name GLOB 'inbox_*'")
    .toArray();
  for (const { name } of partitions) sql.exec(`ALTER TABLE ${name} ADD COLUMN note TEXT DEFAULT 'old'`);
}

/** The SHA-256 of the schema that each migration results in. */
const RELEASED = [
  "f9037eac5d5dd0bea3cb5114eab9f9406de7c663ea52e2c88ffe86b3d4d4d34b",
  "74861ba669cfe682deb1b0b8b8e6c4c66af0ae7b82e5a39a4265f93ee242b870",
  "190bb323484b023e3892976a1ecb27a8e849d1c3b57e3e78f0e6155b37ec1ce9",
];

describe("released migrations", () => {
  // If this fails, a released migration was edited. Undo that, and append one that changes tables with rows.
  it.each(RELEASED.map((schema, i) => [i + 1, schema] as const))(
    "are never edited: %i",
    async (number, schema) => {
      await inStorage(async (storage) => {
        for (const { name } of storage.sql
          .exec("SELECT name FROM sqlite_schema WHERE type = 'table'")
          .toArray())
          if (!String(name).startsWith("_cf")) storage.sql.exec(`DROP TABLE ${name}`);
        migrate(storage, MIGRATIONS.slice(0, number));
        expect(await sha256Hex(schemaOf(storage.sql).join("\n"))).toBe(schema);
      });
    },
  );

  it("are all pinned here", () => {
    expect(RELEASED).toHaveLength(MIGRATIONS.length);
  });
});

describe("a gate that starts", () => {
  it("runs the migrations that it lacks, once, and keeps its rows", async () => {
    const gate = await newGate();
    await runInDurableObject(gate.stub, (_gate, { storage }) => {
      const bench = new Bench(gate, storage.sql);
      const before = Array.from({ length: 100 }, () => bench.accept());
      const doStep = vi.fn(addsColumn);
      for (let i = 0; i < 2; i++) migrate(storage, [...MIGRATIONS, doStep]);
      expect(doStep).toHaveBeenCalledTimes(1);
      expect(layoutOf(bench.sql)).toBe(MIGRATIONS.length + 1);
      bench.restart();
      for (const fileId of before) expect(bench.row(fileId)?.state).toBe("queued");
      bench.clock.now += DAY;
      bench.accept();
      expect(onInbox(bench.sql, "SELECT note, count(*) AS n FROM inbox")).toEqual([
        { note: "old", n: 100 },
        { note: "old", n: 1 },
      ]);
    });
  });

  it("has run all of its migrations or none", async () => {
    await inStorage((storage) => {
      const before = schemaOf(storage.sql);
      const failing = () => {
        throw new Error("the last step fails");
      };
      expect(() => migrate(storage, [...MIGRATIONS, addsColumn, failing])).toThrow("the last step fails");
      expect(schemaOf(storage.sql)).toEqual(before);
      expect(layoutOf(storage.sql)).toBe(MIGRATIONS.length);
    });
  });

  it("writes nothing when it lacks none", async () => {
    await inStorage((storage) => {
      const exec = vi.spyOn(Object.getPrototypeOf(storage.sql), "exec");
      migrate(storage);
      const written = exec.mock.results.map(({ value }) => value.rowsWritten);
      expect(written).toEqual([0, 0]);
    });
  });
});

describe("a gate whose tables were made by newer code", () => {
  it("is left untouched and the Worker responds 503, until newer code is back", async () => {
    const connection = await createBoundConnection();
    const key = await createApiKey();
    const { json } = await post(connection, undefined, {}, unwoken);
    const gate = gateOf(connection);
    const sql: SqlStorage = await runInDurableObject(gate, (_gate, { storage }) => {
      migrate(storage, [...MIGRATIONS, addsColumn]);
      return Object.getPrototypeOf(storage.sql);
    });
    await evictDurableObject(gate);
    const original = sql.exec;
    const exec = vi.spyOn(sql, "exec");
    const refused = await post(connection, undefined, {}, unwoken);
    expect([refused.status, refused.headers.get("Retry-After")]).toEqual([503, "5"]);
    expect(exec.mock.calls.length).toBeGreaterThan(0);
    expect(exec.mock.calls.filter(([query]) => !/ marks /.test(query))).toEqual([]);
    expect((await fileStatus(key.token, json.file_id)).status).toBe(503);

    // The newer code has all migrations that were run.
    exec.mockImplementation(function (this: SqlStorage, query, ...values) {
      return original.call(
        this,
        /'layout'/.test(query) ? `SELECT '${MIGRATIONS.length}' AS value` : query,
        ...values,
      );
    });
    expect((await fileStatus(key.token, json.file_id)).json.status).toBe("queued");
    expect((await post(connection, undefined, {}, unwoken)).status).toBe(202);
  });
});
