/** Invariants of events: those that services publish, and those that the gateway publishes about files. Pure. */
import { parseFileId } from "../../../src/gate/file-id.ts";
import { gateName } from "../../../src/model.ts";
import type { Check } from "./check.ts";
import { HEARD, isSameOwner, type Told } from "./endpoints.ts";
import { type EventUnit, type HeardEvent, isUnanswered } from "./event-record.ts";
import type { KeptEvent, OutboundEvidence } from "./outbound-evidence.ts";

export const EVENT_INVARIANTS: Record<string, Check<OutboundEvidence>> = {
  "every accepted event is stored once, as it was sent"({ events, kept, reports, connections }) {
    const byKey = Map.groupBy(kept, keyOf);
    const sent = progressReports({ reports, connections }).filter(({ taken }) => taken);
    const taken = [...events.units.filter(({ takenAt }) => takenAt !== null), ...sent];
    const broken = taken.flatMap((unit) => {
      const found = byKey.get(keyOf(unit)) ?? [];
      const [event] = found;
      if (event === undefined || found.length > 1)
        return [`${unit.id} was accepted and is stored ${found.length} times`];
      return isAsSent(event, unit) ? [] : [`${unit.id} is stored as ${event.json}`];
    });
    return { checked: taken.length, broken };
  },

  "an event without a final response is stored at most once, a rejected event never"(evidence) {
    const { events, kept } = evidence;
    const sent = [
      ...events.units.filter(({ expects }) => expects === "taken"),
      ...progressReports(evidence),
      ...fileEvents(evidence),
    ];
    const byKey = new Map(sent.map((unit) => [keyOf(unit), unit]));
    const broken = [...Map.groupBy(kept, keyOf)].flatMap(([key, [event, ...others]]) => {
      const unit = byKey.get(key);
      if (event === undefined || unit === undefined) return [`${key} was never sent, or was rejected`];
      if (others.length > 0) return [`${key} is stored ${others.length + 1} times`];
      return isAsSent(event, unit) ? [] : [`${key} is stored as ${event.json}`];
    });
    const unsettled = events.units.filter((unit) => unit.takenAt === null);
    return { checked: kept.length + unsettled.filter(isUnanswered).length, broken };
  },

  "every event in a gate's outbox is published"(evidence) {
    const kept = new Set(evidence.kept.map(keyOf));
    const owed = fileEvents(evidence).filter(({ must }) => must);
    const missing = owed.filter((event) => !kept.has(keyOf(event)));
    return { checked: owed.length, broken: missing.map(({ id }) => `${id} was not published`) };
  },

  "an owner's events are listed by sequence, and no two share one"({ kept }) {
    const broken = [...Map.groupBy(kept, listOf)].flatMap(([list, events]) =>
      events.flatMap(({ id, sequence }, place) => {
        const before = events[place - 1]?.sequence ?? 0;
        if (Number.isSafeInteger(sequence) && sequence > before) return [];
        return [`${id} of ${list} has the sequence ${sequence}, after ${before}`];
      }),
    );
    return { checked: kept.length, broken };
  },

  "a file's events are stored in the file's order"({ kept }) {
    const ofFiles = kept.filter(({ type }) => FILE_ORDER[type] !== undefined);
    const files = [...Map.groupBy(ofFiles, (event) => `${event.data.fileId} for ${listOf(event)}`)];
    const broken = files.flatMap(([file, events]) => {
      const types = events.toSorted((a, b) => a.sequence - b.sequence).map(({ type }) => type);
      const isInOrder = types.every(
        (type, place) => (FILE_ORDER[type] ?? 0) >= (FILE_ORDER[types[place - 1] ?? ""] ?? 0),
      );
      // A refused file was forwarded again, so that later events may follow its failure.
      return isInOrder || types.includes("file.failed") ? [] : [`${file}: ${types.join(", ")}`];
    });
    return { checked: files.length, broken };
  },

  "no service got an unexpected response"({ events }) {
    const heard = events.units.flatMap((unit) => unit.heard.map((answer) => ({ unit, answer })));
    const broken = heard.filter(({ unit, answer }) => !isExpected(unit, answer));
    return {
      checked: heard.length,
      broken: broken.map(
        ({ unit: { id, kind }, answer: { status, error } }) => `${id} (${kind}): ${status} ${error ?? ""}`,
      ),
    };
  },
};

const FILE_ORDER: Partial<Record<string, number>> = {
  "file.uploaded": 1,
  "file.validated": 2,
  "file.processed": 3,
  "file.failed": 3,
};

/** Events of one owner and environment share a sequence. */
function listOf({ owner, environment }: Pick<KeptEvent, "owner" | "environment">): string {
  return `${owner.owner_type}:${owner.owner_id} ${environment}`;
}

/** Identifies an event of an owner, whatever its source. */
export function keyOf({ owner, environment, id }: Pick<KeptEvent, "owner" | "environment" | "id">): string {
  return `${owner.owner_type}:${owner.owner_id} ${environment} ${id}`;
}

interface ExpectedEvent extends Told {
  id: string;
  /** Null when the gateway sets the time. */
  timestamp: string | null;
  /** Null when only the event's file is known. */
  data: unknown;
  fileId?: string;
}

/** The files-creator's reports on files whose owner has webhooks. */
function progressReports({
  reports,
  connections,
}: Pick<OutboundEvidence, "reports" | "connections">): (ExpectedEvent & { taken: boolean })[] {
  const heard = gatesHeard(connections);
  return [...reports].flatMap(([id, { type, data, taken }]) => {
    const gate = parseFileId(data.fileId)?.gate;
    return gate !== undefined && heard.has(gateName(gate))
      ? [{ id, type, data, taken, ...OF_FILES, timestamp: null }]
      : [];
  });
}

/** The events that gates publish about files whose owner has webhooks. `must` is false when the suite cannot know. */
function fileEvents({
  inboxes,
  connections,
  refusedFiles,
}: Pick<OutboundEvidence, "inboxes" | "connections" | "refusedFiles">): (ExpectedEvent & {
  must: boolean;
})[] {
  const heard = gatesHeard(connections);
  const files = inboxes.filter(({ gate }) => heard.has(gate)).flatMap(({ rows }) => rows);
  return files.flatMap(({ fileId }) => {
    const about = { ...OF_FILES, fileId, timestamp: null, data: null };
    const refused = refusedFiles.has(fileId);
    return [
      // A file that is refused at once has no file.uploaded event. A file that was deferred before has one.
      { ...about, id: `evt_uploaded_${fileId}_1`, type: "file.uploaded", must: !refused },
      ...(refused ? [{ ...about, id: `evt_failed_${fileId}_1`, type: "file.failed", must: true }] : []),
    ];
  });
}

/** Connections whose owner has webhooks are of this environment. */
const OF_FILES = { owner: HEARD, environment: "production" } as const;

function gatesHeard(connections: OutboundEvidence["connections"]): Set<string> {
  const heard = connections.filter(({ owner }) => isSameOwner(owner, HEARD));
  return new Set(heard.map(({ id }) => gateName({ kind: "connection", id })));
}

function isAsSent(event: KeptEvent, { type, timestamp, data, fileId }: ExpectedEvent): boolean {
  if (event.type !== type || (timestamp !== null && event.timestamp !== timestamp)) return false;
  return fileId === undefined
    ? JSON.stringify(event.data) === JSON.stringify(data)
    : event.data.fileId === fileId;
}

function isExpected({ expects }: EventUnit, { status }: HeardEvent): boolean {
  if (status === null || status === 503) return true;
  if (expects === "refused") return status === 400 || status === 401;
  return status === (expects === "conflict" ? 409 : 202);
}
