/**
 * Finds and unseals archived reports with only the bucket and the key ring: no database, no running gateway.
 * The format is described in src/gate/archive-format.ts.
 */

import { dataKeyContext, payloadContext } from "../src/crypto/contexts.ts";
import type { Bytes } from "../src/crypto/encoding.ts";
import { type KeyRing, unseal, unwrapDataKey } from "../src/crypto/vault.ts";
import {
  type KeyObject,
  keyObjectKey,
  type ManifestEntry,
  parseTrailer,
  SEGMENT_FOOTER_BYTES,
  trailerLength,
} from "../src/gate/archive-format.ts";
import { parseFileId } from "../src/gate/file-id.ts";
import { type GateAddress, parseGateName } from "../src/model.ts";
import { Problem } from "./problem.ts";

/** The part of an R2 bucket that the reader uses. */
export interface Bucket {
  list(options: { prefix: string; cursor?: string; delimiter?: string }): Promise<{
    objects: { key: string }[];
    delimitedPrefixes: string[];
    truncated: boolean;
    cursor?: string;
  }>;
  get(
    key: string,
    options?: { range: { suffix: number } | { offset: number; length: number } },
  ): Promise<{ arrayBuffer(): Promise<ArrayBuffer> } | null>;
}

export interface ArchivedFile extends ManifestEntry {
  segment: string;
}

const SEGMENT = /^archive\/\w+\/(\w+)\/([0-9a-f]{24})\/\d{4}\/\d\d\/\d\d\/(\w{20})(?:-\d+)?\.seg$/;

/** Every archived file, or those of one gate, segment by segment. */
export async function* listArchive(bucket: Bucket, gate: GateAddress | null): AsyncGenerator<ArchivedFile> {
  for await (const key of segmentKeys(bucket, gate)) {
    for (const entry of await readManifest(bucket, key)) yield { ...entry, segment: key };
  }
}

/** The archived file and its bytes; null if it is not in the archive. Throws if it cannot be unsealed. */
export async function readArchived(
  bucket: Bucket,
  fileId: string,
  ring: KeyRing,
): Promise<{ file: ArchivedFile; payload: Bytes } | null> {
  const parsed = parseFileId(fileId);
  if (parsed === null) throw new Problem(`${fileId} is not a file id: a file id is FILE_ and 40 characters.`);
  const file = await findArchived(bucket, parsed);
  if (file === null) return null;
  const keyObject = await bucket.get(keyObjectKey(parsed.gate));
  if (keyObject === null) throw new Error("the data key of this file's connection has been erased");
  const { wrappedKey }: KeyObject = JSON.parse(Buffer.from(await keyObject.arrayBuffer()).toString());
  const dataKey = await unwrapDataKey(ring, wrappedKey, dataKeyContext(parsed.gate));
  const sealed = await bytesOf(bucket, file.segment, { offset: file.offset, length: file.length });
  return { file, payload: await unseal(dataKey, sealed, payloadContext(parsed.gate, parsed.fileId)) };
}

/** A segment is named after its first file, so a file is in a segment named at or before it. The nearest comes first. */
async function findArchived(
  bucket: Bucket,
  wanted: { fileId: string; seq: string; gate: GateAddress },
): Promise<ArchivedFile | null> {
  const candidates: { key: string; first: string }[] = [];
  for await (const key of segmentKeys(bucket, wanted.gate)) {
    const first = SEGMENT.exec(key)?.[3] ?? "";
    if (first <= wanted.seq) candidates.push({ key, first });
  }
  candidates.sort((a, b) => (a.first < b.first ? 1 : -1));
  for (const { key } of candidates) {
    const entry = (await readManifest(bucket, key)).find((file) => file.fileId === wanted.fileId);
    if (entry !== undefined) return { ...entry, segment: key };
  }
  return null;
}

async function* segmentKeys(bucket: Bucket, gate: GateAddress | null): AsyncGenerator<string> {
  const prefixes: string[] = [];
  if (gate === null) prefixes.push("archive/");
  else {
    const { delimitedPrefixes } = await bucket.list({ prefix: "archive/", delimiter: "/" });
    for (const retention of delimitedPrefixes) prefixes.push(`${retention}${gate.kind}/${gate.id}/`);
  }
  for (const prefix of prefixes) {
    let cursor: string | undefined;
    do {
      const page = await bucket.list({ prefix, ...(cursor !== undefined && { cursor }) });
      for (const { key } of page.objects) if (SEGMENT.test(key)) yield key;
      cursor = page.truncated ? page.cursor : undefined;
    } while (cursor !== undefined);
  }
}

async function readManifest(bucket: Bucket, key: string): Promise<ManifestEntry[]> {
  const length = trailerLength(await bytesOf(bucket, key, { suffix: SEGMENT_FOOTER_BYTES }));
  const manifest = parseTrailer(await bytesOf(bucket, key, { suffix: length }));
  if (parseGateName(manifest.gate) === null) throw new Error(`${key} names no gate`);
  return manifest.files;
}

async function bytesOf(
  bucket: Bucket,
  key: string,
  range: { suffix: number } | { offset: number; length: number },
): Promise<Bytes> {
  const object = await bucket.get(key, { range });
  if (object === null) throw new Error(`${key} is gone from the bucket`);
  return new Uint8Array(await object.arrayBuffer());
}
