import { describe, expect, it } from "vitest";
import { newObjectId } from "../../../src/crypto/ids.ts";
import {
  fileIdOf,
  mintedAt,
  mintFileId,
  parseFileId,
  rowKeyOf,
  seqAfter,
  seqAt,
} from "../../../src/gate/file-id.ts";
import { GATE_KINDS, gateName, parseGateName } from "../../../src/model.ts";
import { seeded } from "../../support/random.ts";

const NOW = Date.parse("2026-03-16T10:30:00.123Z");

describe.each(GATE_KINDS)("a file id of a gate of the kind %s", (kind) => {
  it("contains the gate, the time and the key that it was made from", () => {
    for (let i = 0; i < 500; i++) {
      const gate = { kind, id: newObjectId() };
      const fileId = mintFileId(gate, NOW + i);
      const parsed = parseFileId(fileId);
      expect(parsed).toMatchObject({ fileId, gate, mintedAt: NOW + i });
      expect(fileIdOf(gate, parsed?.seq ?? "")).toBe(fileId);
      expect(mintedAt(parsed?.seq ?? "")).toBe(NOW + i);
    }
  });

  it.each(["000000000000000000000000", "ffffffffffffffffffffffff", "000000000000000000000001"])(
    "holds the row id %s",
    (id) => {
      expect(parseFileId(mintFileId({ kind, id }, NOW))?.gate).toEqual({ kind, id });
    },
  );

  it("is read whatever its letters' case, and answered as it was minted", () => {
    const gate = { kind, id: newObjectId() };
    const fileId = mintFileId(gate, NOW);
    expect(parseFileId(fileId.toLowerCase())?.fileId).toBe(fileId);
  });

  it("names its gate as the object's name does", () => {
    const gate = { kind, id: newObjectId() };
    expect(parseGateName(gateName(gate))).toEqual(gate);
  });
});

it("never mints the same id twice in one millisecond", () => {
  const gate = { kind: "connection", id: newObjectId() } as const;
  expect(new Set(Array.from({ length: 5_000 }, () => mintFileId(gate, NOW))).size).toBe(5_000);
});

it("sorts by the time of minting", () => {
  const random = seeded(1);
  const gate = { kind: "connection", id: newObjectId() } as const;
  const times = Array.from({ length: 300 }, () => Math.floor(random() * 4e12));
  const ids = times.map((time) => mintFileId(gate, time)).sort();
  expect(ids.map((id) => parseFileId(id)?.mintedAt)).toEqual(times.sort((a, b) => a - b));
});

it("finds every file minted at or after an instant from that instant's smallest key on", () => {
  const gate = { kind: "connection", id: newObjectId() } as const;
  const seqMintedAt = (time: number) => parseFileId(mintFileId(gate, time))?.seq ?? "";
  expect(seqMintedAt(NOW) >= seqAt(NOW)).toBe(true);
  expect(seqMintedAt(NOW - 1) < seqAt(NOW)).toBe(true);
});

it("has a number that sorts like it, and differs for most keys of one millisecond", () => {
  const gate = { kind: "connection", id: newObjectId() } as const;
  const seqMintedAt = (time: number) => parseFileId(mintFileId(gate, time))?.seq ?? "";
  const seqs = Array.from({ length: 300 }, (_, i) => seqMintedAt(NOW + Math.floor(i / 3))).sort();
  const keys = seqs.map(rowKeyOf);
  expect(keys).toEqual(keys.toSorted((a, b) => a - b));
  expect(new Set(keys).size).toBeGreaterThan(290);
  for (const seq of seqs) {
    expect(rowKeyOf(seq)).toBeGreaterThanOrEqual(rowKeyOf(seqAt(NOW)));
    expect(rowKeyOf(seqAfter(seq))).toBe(rowKeyOf(seq) + 1);
  }
  expect(rowKeyOf("")).toBe(0);
});

it("has an exact number until the year 2109", () => {
  const last = `${seqAt(2 ** 42 - 1).slice(0, 10)}ZZZZZZZZZZ`;
  expect(rowKeyOf(last)).toBe(Number.MAX_SAFE_INTEGER);
});

const GENUINE = mintFileId({ kind: "connection", id: "0123456789abcdef01234567" }, NOW);
const digits = GENUINE.slice(5);

it.each([
  ["nothing", ""],
  ["the prefix alone", "FILE_"],
  ["another prefix", `FILES_${digits}`],
  ["no prefix", digits],
  ["one digit too few", GENUINE.slice(0, -1)],
  ["one digit too many", `${GENUINE}0`],
  ["a letter outside the alphabet", `${GENUINE.slice(0, -1)}U`],
  ["a letter that people mistake for a digit", `${GENUINE.slice(0, -1)}O`],
  ["a line after it", `${GENUINE}\n`],
  ["a space before it", ` ${GENUINE}`],
  ["a kind of gate that does not exist", `FILE_4${digits.slice(1)}`],
  ["the highest kind that its digits can say", `FILE_Z${digits.slice(1)}`],
  ["a path", `../${GENUINE}`],
])("is not seen in %s", (_name, text) => {
  expect(parseFileId(text)).toBeNull();
});

it.each([
  "",
  "connection",
  "connection:",
  "connection:0123456789ABCDEF01234567",
  "key:0123",
  "webhook:0123456789abcdef01234567",
  "connection:0123456789abcdef01234567\n",
])("does not take %j for a gate's name", (name) => {
  expect(parseGateName(name)).toBeNull();
});
