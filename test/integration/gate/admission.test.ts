import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import { describe, expect, it } from "vitest";
import { MAX_ALIASES, MAX_DATABASE_BYTES, RESERVATION_MS } from "../../../src/gate/admission.ts";
import { mintFileId } from "../../../src/gate/file-id.ts";
import type { Admission } from "../../../src/gate/protocol.ts";
import {
  admissionAt,
  Bench,
  countingRows,
  DAY,
  HOUR,
  inGate,
  MINUTE,
  mintApart,
  newGate,
  onInbox,
  randomBytes,
  randomMac,
  randomSignature,
  SECOND,
  seqOf,
} from "../../support/gate.ts";

/** A sender's repeat as the gate receives it: with another file id and seal, otherwise unchanged. */
function again(bench: Bench, admission: Admission, fields: Partial<Admission> = {}): Admission {
  const fileId = mintApart(bench.gate.address, bench.clock.now);
  return { ...admission, fileId, sealed: admission.sealed && randomBytes(100), ...fields };
}

function newlySigned(bench: Bench): Pick<Admission, "signed"> {
  return { signed: { signature: randomSignature(), timestampMs: bench.clock.now } };
}

describe("rows written", () => {
  it.each([
    { name: "one for an ordinary report", fields: () => ({}), rows: 1 },
    {
      name: "two for a report with an Idempotency-Key",
      fields: () => ({ keyMac: randomMac() }),
      rows: 2,
    },
    { name: "two for a large report's reservation", fields: () => ({ sealed: null }), rows: 2 },
    { name: "one for a report with a bearer key", fields: () => ({ signed: null }), rows: 1 },
  ])("are $name", async ({ fields, rows }) => {
    await inGate(await newGate(), async (bench) => {
      bench.accept();
      const counted = countingRows(bench.sql);
      const warm = new Bench(bench.gate, counted.sql);
      const before = counted.written();
      warm.accept(fields());
      expect(counted.written() - before).toBe(rows);
    });
  });

  it.each([
    {
      name: "a repeat of a signed request",
      second: (bench: Bench, first: Admission) => again(bench, first),
      outcome: "repeat",
    },
    {
      name: "a report past the rate limit",
      second: (bench: Bench) => {
        for (let i = 1; i < 100; i++) bench.accept();
        return bench.admission();
      },
      outcome: "limited",
    },
    {
      name: "a key used for another body",
      second: (bench: Bench, first: Admission) => bench.admission({ keyMac: first.keyMac }),
      outcome: "conflict",
    },
    {
      name: "a timestamp outside the window",
      second: (bench: Bench) =>
        bench.admission({
          signed: { signature: randomSignature(), timestampMs: bench.clock.now - 5 * MINUTE - 1 },
        }),
      outcome: "expired",
    },
    {
      name: "an older snapshot",
      second: (bench: Bench) => bench.admission({ known: { ...bench.gate.snapshot, version: 0 } }),
      outcome: "stale",
    },
    {
      name: "a file id from another clock",
      second: (bench: Bench) =>
        bench.admission({ fileId: mintFileId(bench.gate.address, bench.clock.now + MINUTE + SECOND) }),
      outcome: "unavailable",
    },
  ])("are none for $name", async ({ second, outcome }) => {
    await inGate(await newGate({ plan: "sandbox" }), (bench) => {
      const first = bench.admission({ keyMac: randomMac() });
      bench.admit(first);
      const refused = second(bench, first);
      const rows = () =>
        onInbox(bench.sql, "SELECT 1 FROM inbox").length +
        Number(bench.sql.exec("SELECT count(*) AS n FROM aliases").one().n);
      const before = rows();
      expect(bench.admit(refused).outcome).toBe(outcome);
      expect(rows()).toBe(before);
    });
  });

  it("leave the alarm alone while an earlier one is set", async () => {
    const { stub, snapshot, address } = await newGate();
    const alarm = () => runInDurableObject(stub, (_object, { storage }) => storage.getAlarm());
    await stub.admit(admissionAt({ address, snapshot }, Date.now()));
    const first = await alarm();
    expect(first).toBeGreaterThan(Date.now());
    for (let i = 0; i < 5; i++) await stub.admit(admissionAt({ address, snapshot }, Date.now()));
    expect(await alarm()).toBe(first);
  });
});

describe("a file id whose row key another file has", () => {
  /** As `fileId`, but for its last random digits. */
  const neighbourOf = (fileId: string) => fileId.slice(0, -4) + (fileId.endsWith("0000") ? "1111" : "0000");

  it.each<[string, Partial<Admission>]>([
    ["signed", {}],
    ["unsigned", { signed: null }],
    ["large", { sealed: null }],
  ])("is not accepted, and costs nothing: %s", async (_name, fields) => {
    await inGate(await newGate(), (bench) => {
      const first = bench.admission(fields);
      const second = bench.admission({ ...fields, fileId: neighbourOf(first.fileId) });
      expect(bench.admit(first)).toMatchObject({ rate: { remaining: 499 } });
      expect(bench.admit(second)).toEqual({ outcome: "taken" });
      expect(bench.row(second.fileId)).toBeNull();
      const third = again(bench, second, { fileId: mintApart(bench.gate.address, bench.clock.now) });
      expect(bench.admit(third)).toMatchObject({ rate: { remaining: 498 } });
      expect(bench.row(first.fileId)).not.toBeNull();
      expect(bench.row(third.fileId)).not.toBeNull();
    });
  });
});

describe("a call repeated with its own file id", () => {
  it.each<[string, Partial<Admission>]>([
    ["signed", {}],
    ["signed, with a key", { keyMac: randomMac() }],
    ["unsigned", { signed: null }],
    ["unsigned, with a key", { signed: null, keyMac: randomMac() }],
    ["unsigned, where equal bodies are repeats", { signed: null, sameBody: "deduplicate" }],
  ])("gets the first answer: %s", async (_name, fields) => {
    await inGate(await newGate(), (bench) => {
      const admission = bench.admission(fields);
      expect(bench.admit(admission).outcome).toBe("accepted");
      expect(bench.admit(admission).outcome).toBe("accepted");
      bench.restart();
      expect(bench.admit(admission).outcome).toBe("accepted");
      expect(bench.files.list(null, 10)).toHaveLength(1);
    });
  });

  it("gets the first answer, although another file with the same body was admitted in between", async () => {
    await inGate(await newGate(), (bench) => {
      const admission = bench.admission({ signed: null });
      bench.admit(admission);
      bench.accept({ signed: null, bodyMac: admission.bodyMac });
      expect(bench.admit(admission)).toMatchObject({ outcome: "accepted" });
    });
  });

  it("keeps the object key that was reserved for a large one", async () => {
    await inGate(await newGate(), (bench) => {
      const admission = bench.admission({ sealed: null });
      const first = bench.admit(admission);
      expect(first).toMatchObject({ outcome: "reserved" });
      expect(bench.admit(admission)).toEqual(first);
    });
  });

  it("names the earlier file with its body again", async () => {
    await inGate(await newGate(), (bench) => {
      const earlier = bench.admission();
      bench.admit(earlier);
      const admission = bench.admission({ bodyMac: earlier.bodyMac });
      expect(bench.admit(admission)).toMatchObject({ sameBodyAs: earlier.fileId });
      expect(bench.admit(admission)).toMatchObject({ outcome: "accepted", sameBodyAs: earlier.fileId });
    });
  });
});

describe("a signature", () => {
  it.each([
    { name: "of a timestamp five minutes ahead", ahead: 5 * MINUTE, remembered: 10 * MINUTE },
    { name: "of this very moment", ahead: 0, remembered: 5 * MINUTE },
    { name: "of a timestamp five minutes ago", ahead: -5 * MINUTE, remembered: 0 },
  ])("is remembered exactly as long as it can be valid: $name", async ({ ahead, remembered }) => {
    await inGate(await newGate(), (bench) => {
      const start = bench.clock.now;
      const signed = { signature: randomSignature(), timestampMs: start + ahead };
      const first = bench.admission({ signed });
      expect(bench.admit(first).outcome).toBe("accepted");
      bench.clock.now = start + remembered;
      expect(bench.admit(again(bench, first))).toMatchObject({ outcome: "repeat", fileId: first.fileId });
      bench.restart();
      expect(bench.admit(again(bench, first))).toMatchObject({ outcome: "repeat", fileId: first.fileId });
      bench.clock.now += 1;
      expect(bench.admit(again(bench, first)).outcome).toBe("expired");
    });
  });

  it.each([
    { name: "a little", ahead: 5 * MINUTE + 1, back: 900 },
    { name: "two minutes", ahead: 6 * MINUTE, back: 2 * MINUTE },
    { name: "hours", ahead: 5 * HOUR, back: 5 * HOUR - MINUTE },
  ])("is recognized again after the clock was set back by $name", async ({ ahead, back }) => {
    await inGate(await newGate(), (bench) => {
      const first = bench.admission();
      bench.admit(first);
      // Past the end of its window other traffic makes the gate forget it; then the clock goes back into the window.
      bench.clock.now += ahead;
      bench.accept();
      bench.clock.now -= back;
      expect(bench.admit(again(bench, first))).toMatchObject({ outcome: "repeat", fileId: first.fileId });
    });
  });
});

describe("a key", () => {
  it("is remembered for 24 hours after the admission and no longer", async () => {
    await inGate(await newGate(), (bench) => {
      const start = bench.clock.now;
      const first = bench.admission({ keyMac: randomMac() });
      bench.admit(first);
      bench.clock.now = start + DAY - 1;
      bench.restart();
      expect(bench.admit(again(bench, first, newlySigned(bench)))).toMatchObject({
        outcome: "repeat",
        fileId: first.fileId,
      });
      bench.clock.now = start + DAY;
      expect(bench.admit(again(bench, first, newlySigned(bench))).outcome).toBe("accepted");
    });
  });

  it("still names its file when it was first seen on a repeat that was found by its body", async () => {
    await inGate(await newGate(), (bench) => {
      const first = bench.admission();
      bench.admit(first);
      const keyed = again(bench, first, {
        ...newlySigned(bench),
        keyMac: randomMac(),
        sameBody: "deduplicate",
      });
      expect(bench.admit(keyed)).toMatchObject({ outcome: "repeat", fileId: first.fileId });
      bench.clock.now += 2 * HOUR;
      bench.restart();
      expect(bench.admit(again(bench, keyed, newlySigned(bench)))).toMatchObject({
        outcome: "repeat",
        fileId: first.fileId,
      });
      const otherBody = again(bench, keyed, { ...newlySigned(bench), bodyMac: randomMac() });
      expect(bench.admit(otherBody).outcome).toBe("conflict");
    });
  });
});

describe("the same body under a new signature", () => {
  it("is accepted, and names the earlier file, for an hour", async () => {
    await inGate(await newGate(), (bench) => {
      const start = bench.clock.now;
      const first = bench.admission();
      bench.admit(first);
      bench.clock.now = start + HOUR - 1;
      bench.restart();
      const second = again(bench, first, newlySigned(bench));
      expect(bench.admit(second)).toMatchObject({ outcome: "accepted", sameBodyAs: first.fileId });
      expect(bench.row(second.fileId)?.facts.sameBodyAs).toBe(first.fileId);
    });
  });

  it("is an ordinary report an hour later", async () => {
    await inGate(await newGate(), (bench) => {
      const first = bench.admission();
      bench.admit(first);
      bench.clock.now += HOUR;
      const second = again(bench, first, newlySigned(bench));
      expect(bench.admit(second)).not.toHaveProperty("sameBodyAs");
      expect(bench.row(second.fileId)?.facts).not.toHaveProperty("sameBodyAs");
    });
  });

  it("is a repeat if the connection is set to deduplicate, and its signature is remembered", async () => {
    await inGate(await newGate(), (bench) => {
      const first = bench.admission();
      bench.admit(first);
      const second = again(bench, first, { ...newlySigned(bench), sameBody: "deduplicate" });
      expect(bench.admit(second)).toMatchObject({ outcome: "repeat", fileId: first.fileId });
      // The connection changed its mind; the request it answered is still the same request.
      bench.restart();
      expect(bench.admit(again(bench, second, { sameBody: "accept" }))).toMatchObject({
        outcome: "repeat",
        fileId: first.fileId,
      });
    });
  });

  it("does not name a file whose payload has not arrived", async () => {
    await inGate(await newGate(), (bench) => {
      const reserved = bench.admission({ sealed: null });
      bench.admit(reserved);
      const second = again(bench, reserved, newlySigned(bench));
      expect(bench.admit(second)).not.toHaveProperty("sameBodyAs");
      bench.admissions.commit(seqOf(reserved.fileId), bench.clock.now);
    });
  });
});

describe("repeats found by their key", () => {
  it("are refused when too many were recorded, and accepted again when their signatures have expired", async () => {
    await inGate(await newGate({ plan: "enterprise" }), (bench) => {
      const first = bench.admission({ keyMac: randomMac() });
      bench.admit(first);
      const insert = `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${MAX_ALIASES})
        INSERT INTO aliases SELECT randomblob(32), ?, ? FROM n`;
      const { now } = bench.clock;
      bench.sql.exec(insert, seqOf(first.fileId), now + 5 * MINUTE);
      const repeat = again(bench, first, newlySigned(bench));
      expect(bench.admit(repeat)).toEqual({ outcome: "unavailable", reason: "too_many_repeats" });
      expect(bench.admit(again(bench, first))).toMatchObject({ outcome: "repeat" });
      bench.clock.now += 6 * MINUTE;
      expect(bench.admit(again(bench, first, newlySigned(bench)))).toMatchObject({
        outcome: "repeat",
        fileId: first.fileId,
      });
    });
  });
});

describe("a gate that is full", () => {
  it("refuses new reports and still recognizes repeats", async () => {
    await inGate(await newGate(), (bench) => {
      const first = bench.admission({ keyMac: randomMac() });
      bench.admit(first);
      Object.defineProperty(bench.files, "size", { value: MAX_DATABASE_BYTES + 1 });
      bench.clock.now += MINUTE;
      expect(bench.admit(bench.admission())).toEqual({ outcome: "unavailable", reason: "full" });
      expect(bench.admit(again(bench, first)).outcome).toBe("repeat");
      expect(bench.admit(again(bench, first, newlySigned(bench))).outcome).toBe("repeat");
    });
  });
});

describe("a reservation", () => {
  it("is no file yet, and counts for the rate", async () => {
    await inGate(await newGate({ plan: "sandbox" }), (bench) => {
      const reserved = bench.admission({ sealed: null });
      const admitted = bench.admit(reserved);
      expect(admitted).toMatchObject({ outcome: "reserved", rate: { remaining: 99 } });
      expect(bench.claim(reserved.fileId)).toBeUndefined();
      expect(bench.files.list(null, 10)).toEqual([]);
      expect(
        bench.lifecycle.report(seqOf(reserved.fileId), { eventId: "e", status: "completed" }, 0),
      ).toEqual({
        outcome: "unknown",
      });
      expect(bench.lifecycle.replay(seqOf(reserved.fileId), 0)).toEqual({ outcome: "unknown" });
    });
  });

  it("is completed by any copy of its request", async () => {
    await inGate(await newGate(), (bench) => {
      const keyMac = randomMac();
      const first = bench.admission({ sealed: null, keyMac });
      const reserved = bench.admit(first);
      const place = reserved.outcome === "reserved" ? reserved.place : "";
      const receiving = { outcome: "receiving", fileId: first.fileId, place };
      expect(bench.admit(again(bench, first))).toMatchObject(receiving);
      expect(bench.admit(again(bench, first, newlySigned(bench)))).toMatchObject(receiving);
      expect(bench.admissions.commit(seqOf(first.fileId), bench.clock.now)).toBe(true);
      expect(bench.admissions.commit(seqOf(first.fileId), bench.clock.now)).toBe(true);
      expect(bench.admit(again(bench, first))).toMatchObject({ outcome: "repeat", fileId: first.fileId });
      const stored = { key: place, offset: 0, length: 129, at: bench.clock.now };
      expect(bench.claim(first.fileId)?.payload).toEqual({ stored });
    });
  });

  it("is dropped with its object after ten minutes, and the same request can be sent again", async () => {
    await inGate(await newGate(), async (bench) => {
      const start = bench.clock.now;
      const signed = { signature: randomSignature(), timestampMs: start + 5 * MINUTE };
      const first = bench.admission({ sealed: null, signed, keyMac: randomMac() });
      const reserved = bench.admit(first);
      const place = reserved.outcome === "reserved" ? reserved.place : "";
      bench.archive.set(place, randomBytes(10));
      await bench.runAlarmsUntil(start + RESERVATION_MS - 1);
      expect(bench.archive.has(place)).toBe(true);
      await bench.runAlarmsUntil(start + RESERVATION_MS + SECOND);
      expect(bench.archive.has(place)).toBe(false);
      expect(bench.row(first.fileId)).toBeNull();
      expect(bench.admissions.commit(seqOf(first.fileId), bench.clock.now)).toBe(false);
      const resigned = again(bench, first, newlySigned(bench));
      expect(bench.admit(resigned)).toMatchObject({ outcome: "reserved" });
      expect(bench.admissions.commit(seqOf(resigned.fileId), bench.clock.now)).toBe(true);
    });
  });

  it("matches no request while its object cannot be deleted, and is deleted with it", async () => {
    await inGate(await newGate(), async (bench) => {
      const first = bench.admission({ sealed: null, keyMac: randomMac() });
      bench.admit(first);
      bench.clock.now += 9 * MINUTE;
      const resigned = again(bench, first, {
        signed: { signature: randomSignature(), timestampMs: bench.clock.now + 4 * MINUTE },
      });
      expect(bench.admit(resigned)).toMatchObject({ outcome: "receiving", fileId: first.fileId });
      bench.onCall = (call) => (call.startsWith("delete") ? "before" : undefined);
      await bench.runAfter(MINUTE);
      for (const evicted of [false, true]) {
        if (evicted) bench.restart();
        expect(bench.admissions.commit(seqOf(first.fileId), bench.clock.now)).toBe(false);
        // Found by neither its signature, the signature of its copy, nor their key.
        expect(bench.admit(again(bench, resigned, { keyMac: null })).outcome).toBe("reserved");
        onInbox(bench.sql, "DELETE FROM inbox WHERE seq <> ?", seqOf(first.fileId));
        bench.restart();
        expect(bench.admit(again(bench, resigned)).outcome).toBe("reserved");
        onInbox(bench.sql, "DELETE FROM inbox WHERE seq <> ?", seqOf(first.fileId));
        bench.restart();
      }
      bench.onCall = () => undefined;
      await bench.runAfter(MINUTE);
      expect(bench.row(first.fileId)).toBeNull();
      bench.restart();
      expect(bench.admit(again(bench, resigned)).outcome).toBe("reserved");
    });
  });

  it("is not dropped when it is committed while the alarm waits for the queue", async () => {
    await inGate(await newGate(), async (bench) => {
      const reserved = bench.admission({ sealed: null });
      bench.admit(reserved);
      bench.clock.now += RESERVATION_MS;
      bench.clock.now -= 2 * MINUTE;
      const queued = bench.accept();
      bench.clock.now += 2 * MINUTE;
      let committed: boolean | undefined;
      bench.onCall = async (call) => {
        if (call === "wake") committed = bench.admissions.commit(seqOf(reserved.fileId), bench.clock.now);
        return undefined;
      };
      await bench.maintenance.run();
      expect(bench.woken).toEqual([[queued]]);
      expect(committed).toBe(true);
      expect(bench.row(reserved.fileId)?.state).toBe("queued");
    });
  });
});

describe("versions", () => {
  it.each([
    { known: 5, sent: 4, outcome: "stale" },
    { known: 5, sent: 5, outcome: "accepted" },
    { known: 5, sent: 6, outcome: "accepted" },
  ])(
    "a gate that knows $known answers $outcome to $sent, also after its rows are gone",
    async ({ known, sent, outcome }) => {
      const gate = await newGate({ version: known });
      await inGate(gate, async (bench) => {
        bench.forward(bench.accept());
        await bench.runAlarmsUntil(bench.clock.now + 98 * DAY);
        expect(bench.state.dueFiles.firstFrom("")).toBeNull();
        bench.restart();
        const admission = bench.admission({ known: { ...gate.snapshot, version: sent } });
        expect(bench.admit(admission).outcome).toBe(outcome);
        const snapshot = { ...gate.snapshot, version: sent };
        expect(bench.admissions.charge(snapshot, bench.clock.now).outcome).toBe(
          outcome === "stale" ? "stale" : "charged",
        );
        expect(bench.admissions.read(snapshot, bench.clock.now).outcome).toBe(
          outcome === "stale" ? "stale" : "charged",
        );
      });
    },
  );

  it("suffice once the gate knows the row", async () => {
    const gate = await newGate({ version: 5 });
    await inGate(gate, (bench) => {
      expect(bench.admit(bench.admission({ known: 5 }))).toEqual({ outcome: "unknown_version" });
      expect(bench.admit(bench.admission({ known: gate.snapshot })).outcome).toBe("accepted");
      for (const restarted of [false, true]) {
        if (restarted) bench.restart();
        expect(bench.admit(bench.admission({ known: 4 }))).toEqual({ outcome: "stale" });
        expect(bench.admit(bench.admission({ known: 5 })).outcome).toBe("accepted");
        expect(bench.admit(bench.admission({ known: 6 }))).toEqual({ outcome: "unknown_version" });
      }
      expect(bench.files.list(null, 10)).toHaveLength(3);
    });
  });

  it("are learned from a refresh, and kept across eviction", async () => {
    const gate = await newGate({ version: 1 });
    expect(await gate.stub.refresh({ ...gate.snapshot, version: 7 })).toBe(7);
    expect(await gate.stub.refresh({ ...gate.snapshot, version: 3 })).toBe(7);
    await evictDurableObject(gate.stub);
    expect(await gate.stub.admit(admissionAt(gate, Date.now()))).toEqual({ outcome: "stale" });
  });

  it("carry the new plan", async () => {
    const gate = await newGate({ plan: "sandbox" });
    await inGate(gate, (bench) => {
      for (let i = 0; i < 100; i++) bench.accept();
      expect(bench.admit(bench.admission()).outcome).toBe("limited");
      const known = { ...gate.snapshot, plan: "production", version: 2 } as const;
      expect(bench.admit(bench.admission({ known }))).toMatchObject({
        outcome: "accepted",
        rate: { limit: 500, remaining: 399 },
      });
    });
  });
});
