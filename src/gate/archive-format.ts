/**
 * The archive's format. A segment holds sealed payloads of one gate and can be read without any database:
 *
 *   sealed payloads, one after the other | manifest (JSON, UTF-8) | length of the manifest (uint32, big endian) | "A1SEG001"
 *
 * A put that met its deadline may leave a segment behind whose files are in a later segment as well.
 *
 * Beside the segments, `keys/{kind}/{id}.json` holds the gate's wrapped data key. Deleting it erases all segments of the gate.
 * Payloads are sealed with {@link payloadContext}.
 */
import { type Bytes, utf8 } from "../crypto/encoding.ts";
import { type GateAddress, gateName } from "../model.ts";
import { mintedAt } from "./file-id.ts";
import type { ArchiveLocation, FileFacts } from "./protocol.ts";

const MAGIC = "A1SEG001";
/** The length field and the magic. */
export const SEGMENT_FOOTER_BYTES = 4 + MAGIC.length;

export interface ManifestEntry extends FileFacts {
  fileId: string;
  offset: number;
  length: number;
}

export interface Manifest {
  gate: string;
  files: ManifestEntry[];
}

export interface KeyObject {
  gate: string;
  version: number;
  wrappedKey: string;
}

/**
 * The object key of the segment whose first file is `seq`. The bucket's retention rules match the first two parts. `latePuts` counts
 * the puts of this gate that met their deadline: such a put may still arrive, and must not replace a later segment.
 */
export function segmentKey(gate: GateAddress, retentionYears: number, seq: string, latePuts = 0): string {
  const day = new Date(mintedAt(seq)).toISOString().slice(0, 10).replaceAll("-", "/");
  const name = latePuts === 0 ? seq : `${seq}-${latePuts}`;
  return `archive/${retentionYears}y/${gate.kind}/${gate.id}/${day}/${name}.seg`;
}

export function keyObjectKey(gate: GateAddress): string {
  return `keys/${gate.kind}/${gate.id}.json`;
}

/** The part of a segment after the payloads. */
export function segmentTrailer(manifest: Manifest): Bytes {
  const json = utf8(JSON.stringify(manifest));
  const trailer = new Uint8Array(json.byteLength + SEGMENT_FOOTER_BYTES);
  trailer.set(json);
  new DataView(trailer.buffer).setUint32(json.byteLength, json.byteLength);
  trailer.set(utf8(MAGIC), json.byteLength + 4);
  return trailer;
}

/** A whole segment, and the location of each file in it, by file id. */
export function buildSegment(
  gate: GateAddress,
  key: string,
  files: readonly { fileId: string; facts: FileFacts; sealed: Bytes }[],
): { bytes: Bytes; locations: Map<string, ArchiveLocation> } {
  const entries: ManifestEntry[] = [];
  let offset = 0;
  for (const { fileId, facts, sealed } of files) {
    entries.push({ fileId, ...facts, offset, length: sealed.byteLength });
    offset += sealed.byteLength;
  }
  const trailer = segmentTrailer({ gate: gateName(gate), files: entries });
  const bytes = new Uint8Array(offset + trailer.byteLength);
  for (const [position, entry] of entries.entries()) {
    const file = files[position];
    if (file !== undefined) bytes.set(file.sealed, entry.offset);
  }
  bytes.set(trailer, offset);
  return {
    bytes,
    locations: new Map(entries.map((e) => [e.fileId, { key, offset: e.offset, length: e.length }])),
  };
}

/** The length of a segment's manifest and footer. `footer` is the segment's last {@link SEGMENT_FOOTER_BYTES}. */
export function trailerLength(footer: Bytes): number {
  if (footer.byteLength !== SEGMENT_FOOTER_BYTES || new TextDecoder().decode(footer.subarray(4)) !== MAGIC) {
    throw new Error("not an archive segment");
  }
  return new DataView(footer.buffer, footer.byteOffset).getUint32(0) + SEGMENT_FOOTER_BYTES;
}

/** Reads the manifest from a segment's trailer. */
export function parseTrailer(trailer: Bytes): Manifest {
  return JSON.parse(new TextDecoder().decode(trailer.subarray(0, trailer.byteLength - SEGMENT_FOOTER_BYTES)));
}
