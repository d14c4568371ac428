/**
 * The ids of the gateway's own events about files: the kind of event, the file, and its generation. So an event that is published
 * again counts as a repeat, and an event in a support mail leads to its file.
 */
import { parseFileId } from "../gate/file-id.ts";
import type { OwedEventType } from "../gate/protocol.ts";

const OWN_EVENT_ID = /^evt_(?:uploaded|failed)_(FILE_[0-9A-Z]{40})_\d+$/;
const OWN_TYPES: readonly OwedEventType[] = ["file.uploaded", "file.failed"];
/** A file that was forwarded more often than this is unusual. */
const NEWEST_GENERATIONS = 10;

export function fileEventId(type: OwedEventType, fileId: string, generation: number): string {
  return `evt_${type.slice("file.".length)}_${fileId}_${generation}`;
}

/** The ids of all events that the gateway may have published about a file in its newest generations. */
export function ownEventIds(fileId: string, newest: number): string[] {
  const first = Math.max(1, newest - NEWEST_GENERATIONS + 1);
  const generations = Array.from({ length: newest - first + 1 }, (_, i) => first + i);
  return OWN_TYPES.flatMap((type) => generations.map((generation) => fileEventId(type, fileId, generation)));
}

/** The file that an event of the gateway's own is about. Null for any other event. */
export function fileOfEvent(eventId: string): string | null {
  const [, fileId] = OWN_EVENT_ID.exec(eventId) ?? [];
  return fileId === undefined || parseFileId(fileId) === null ? null : fileId;
}
