/**
 * Finds archived files of a gate by the time at which they were minted: lists the segments that may hold some, and reads their
 * manifests. The format is described in `src/gate/archive-format.ts`.
 */
import {
  type ManifestEntry,
  parseTrailer,
  SEGMENT_FOOTER_BYTES,
  trailerLength,
} from "../gate/archive-format.ts";
import { parseFileId } from "../gate/file-id.ts";
import type { ArchivedFile } from "../gate/protocol.ts";
import type { GateAddress } from "../model.ts";

const DAY_MS = 86_400_000;
/**
 * A segment is named after its first file, which may be this much older than its last one. A gate that could not reach the bucket for
 * longer would hold files of a longer time in one segment.
 */
const LONGEST_SEGMENT_MS = 31 * DAY_MS;
/** Older code may have named a segment of deferred files after one that is newer than others in it. Files are deferred for a day at most. */
const NAMED_LATE_MS = 2 * DAY_MS;
/** Most manifests are shorter. */
const TAIL_BYTES = 64 * 1024;

const DATED = /\/(\d{4})\/(\d\d)\/(\d\d)\/[^/]+\.seg$/;

/** From `from` up to but not including `to`, in milliseconds. */
export interface TimeRange {
  from: number;
  to: number;
}

/** The segments after the object key `after` that may hold files of the range, in the order of their keys. */
export async function* segmentsOf(
  bucket: R2Bucket,
  { kind, id }: GateAddress,
  { from, to }: TimeRange,
  after: string,
): AsyncGenerator<string> {
  const { delimitedPrefixes } = await bucket.list({ prefix: "archive/", delimiter: "/" });
  for (const retention of delimitedPrefixes.toSorted()) {
    const prefix = `${retention}${kind}/${id}/`;
    if (after >= `${prefix}~`) continue;
    const begin = `${prefix}${dayOf(from - LONGEST_SEGMENT_MS)}`;
    let startAfter: string | undefined = after > begin ? after : begin;
    while (startAfter !== undefined) {
      const page: R2Objects = await bucket.list({ prefix, startAfter });
      // What was stored before the range holds nothing of it.
      for (const { key, uploaded } of page.objects)
        if (dayIn(key) < to + NAMED_LATE_MS && uploaded.getTime() >= from) yield key;
      const last = page.objects.at(-1)?.key;
      startAfter =
        page.truncated && last !== undefined && dayIn(last) < to + NAMED_LATE_MS ? last : undefined;
    }
  }
}

/** The day of a segment's first file. Never reached for an object that is no segment. */
function dayIn(key: string): number {
  const [, year, month, day] = DATED.exec(key) ?? [];
  return day === undefined ? Number.POSITIVE_INFINITY : Date.parse(`${year}-${month}-${day}`);
}

/** The files of the range in a segment, in the order of their ids. Empty if the segment has expired meanwhile. */
export async function filesIn(
  bucket: R2Bucket,
  key: string,
  { from, to }: TimeRange,
): Promise<ArchivedFile[]> {
  const entries = await readManifest(bucket, key);
  return entries
    .flatMap(({ fileId, offset, length, ...facts }) => {
      const minted = parseFileId(fileId)?.mintedAt ?? Number.NaN;
      return minted >= from && minted < to ? [{ fileId, facts, stored: { key, offset, length } }] : [];
    })
    .sort((a, b) => (a.fileId < b.fileId ? -1 : 1));
}

async function readManifest(bucket: R2Bucket, key: string): Promise<ManifestEntry[]> {
  const tail = await readEnd(bucket, key, TAIL_BYTES);
  if (tail === null) return [];
  const length = trailerLength(tail.subarray(-SEGMENT_FOOTER_BYTES));
  const trailer = length <= tail.byteLength ? tail.subarray(-length) : await readEnd(bucket, key, length);
  return trailer === null ? [] : parseTrailer(trailer).files;
}

async function readEnd(
  bucket: R2Bucket,
  key: string,
  suffix: number,
): Promise<Uint8Array<ArrayBuffer> | null> {
  const object = await bucket.get(key, { range: { suffix } });
  return object === null ? null : new Uint8Array(await object.arrayBuffer());
}

function dayOf(ms: number): string {
  return new Date(Math.max(0, ms)).toISOString().slice(0, 10).replaceAll("-", "/");
}
