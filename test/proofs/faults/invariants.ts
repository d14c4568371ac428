/** Invariants of reports and files, checked from what senders heard, the files that the files-creator has, and the gates' rows. Pure. */
import { HOUR_MS } from "../../../src/gate/rate-window.ts";
import { PLAN_LIMITS } from "../../../src/model.ts";
import type { Check } from "./check.ts";
import { COUNT_INVARIANTS } from "./count-invariants.ts";
import { DELIVERY_INVARIANTS } from "./delivery-invariants.ts";
import type { Drained } from "./drain.ts";
import { EVENT_INVARIANTS } from "./event-invariants.ts";
import type { StoredFile } from "./files-creator.ts";
import type { AtRest, CountsAtEnd, InboxReport } from "./orders.ts";
import type { OutboundEvidence } from "./outbound-evidence.ts";
import { acceptedAs, type Heard, isUnanswered, type SendingRecord, type Unit } from "./record.ts";
import type { Connection } from "./reports.ts";

export interface Evidence {
  kills: number;
  /** How many kills and 202s a run needs to be meaningful. */
  least: { kills: number; accepted: number };
  connections: Connection[];
  record: SendingRecord;
  stored: SentFile[];
  /** Keys that were posted to the files-creator again with other bytes. */
  otherBytes: string[];
  /** File ids of accepted `file.processed` reports, and ids of reports whose file the gateway did not find. */
  reportedCompleted: string[];
  reportsUnknown: string[];
  inboxes: InboxReport[];
  atRest: AtRest[];
  drained: Drained;
  counts: CountsAtEnd;
  /** When the gateway was killed, in real time. */
  killedAt: readonly number[];
  outbound: OutboundEvidence;
}

/** A stored file, with the id of its sender's request as the gate recorded it. */
export interface SentFile extends StoredFile {
  requestId: string;
}

export interface Finding {
  about: "run" | "gateway";
  invariant: string;
  checked: number;
  /** One line per violation. */
  broken: string[];
}

/** Conditions of a meaningful run. They say nothing about the gateway: a slow machine may violate them. */
const WORTH: Record<string, Check<Evidence>> = {
  "the gateway was killed often enough, and accepted enough reports"({ kills, least, record }) {
    const accepted = record.units.filter((unit) => acceptedAs(unit).size > 0).length;
    const broken: string[] = [];
    if (kills < least.kills) broken.push(`${kills} kills, not ${least.kills}`);
    if (accepted < least.accepted) broken.push(`${accepted} reports accepted, not ${least.accepted}`);
    return { checked: accepted, broken };
  },

  "enough events were delivered, and some deliveries failed"({ outbound: { leastDelivered, deliveries } }) {
    const delivered = deliveries.filter(({ status }) => status === "delivered").length;
    const failed = deliveries.filter(({ status }) => status === "failed");
    const broken: string[] = [];
    if (delivered < leastDelivered) broken.push(`${delivered} delivered, not ${leastDelivered}`);
    if (failed.length === 0) broken.push("no delivery failed");
    return { checked: delivered + failed.length, broken };
  },
};

const INVARIANTS: Record<string, Check<Evidence>> = {
  "every 202 is exactly one file, with the right bytes"({ record, stored }) {
    const byUnit = groupByUnit(stored, record);
    const accepted = record.units.filter((unit) => unit.valid && acceptedAs(unit).size > 0);
    const broken = accepted.flatMap((unit) => {
      const files = byUnit.get(unit) ?? [];
      const [id] = acceptedAs(unit);
      if (files.length !== 1)
        return [`${about(unit)} was accepted as ${id} and became ${files.length} files`];
      const [file] = files;
      if (file?.fileId !== id) return [`${about(unit)} was accepted as ${id} and stored as ${file?.fileId}`];
      return file?.sha256 === unit.sha256 ? [] : [`${about(unit)} was stored with other bytes (${id})`];
    });
    return { checked: accepted.length, broken };
  },

  "no rejected request became a file"({ record, stored }) {
    const byUnit = groupByUnit(stored, record);
    const refused = record.units.filter(
      (unit) => !unit.valid || (acceptedAs(unit).size === 0 && !isUnanswered(unit)),
    );
    const broken = refused.flatMap((unit) => {
      const files = byUnit.get(unit) ?? [];
      const welcomed = unit.valid ? [] : unit.heard.filter(({ status }) => status !== null && status < 400);
      if (files.length > 0) return [`${about(unit)} was rejected and became a file: ${files[0]?.fileId}`];
      return welcomed.length > 0 ? [`${about(unit)} should be rejected and got ${welcomed[0]?.status}`] : [];
    });
    return { checked: refused.length, broken };
  },

  "a report that only got 503 or no response became at most one file"({ record, stored }) {
    const byUnit = groupByUnit(stored, record);
    const unanswered = record.units.filter(
      (unit) => unit.valid && acceptedAs(unit).size === 0 && isUnanswered(unit),
    );
    const broken = unanswered.flatMap((unit) => {
      const files = byUnit.get(unit) ?? [];
      if (files.length > 1) return [`${about(unit)} became ${files.length} files`];
      return files.some((file) => file.sha256 !== unit.sha256)
        ? [`${about(unit)} was stored with other bytes`]
        : [];
    });
    return { checked: unanswered.length, broken };
  },

  "copies of one report always got the same file id"({ record }) {
    const copied = record.units.filter(
      (unit) => unit.heard.filter(({ fileId }) => fileId !== null).length > 1,
    );
    const broken = copied.filter((unit) => acceptedAs(unit).size > 1);
    return {
      checked: copied.length,
      broken: broken.map((unit) => `${about(unit)} got the file ids ${[...acceptedAs(unit)].join(" and ")}`),
    };
  },

  "every file belongs to a request, and never changes"({ record, stored, otherBytes }) {
    const unknown = stored.filter((file) => record.unitOf(file.requestId) === null);
    const broken = [
      ...unknown.map((file) => `${file.fileId} belongs to no request (${file.requestId})`),
      ...otherBytes.map((key) => `${key} was posted again with other bytes`),
    ];
    return { checked: stored.length, broken };
  },

  "no rate limit was exceeded, by the gate's clock"({ inboxes, connections }) {
    const broken = inboxes.flatMap((inbox) => {
      const plan = connections.find(({ id }) => inbox.gate === `connection:${id}`)?.plan;
      if (plan === undefined) return [];
      const at = inbox.rows.map(({ admittedAt }) => admittedAt).sort((a, b) => a - b);
      const { perMinute, perHour } = PLAN_LIMITS[plan];
      return [
        ...exceeded(at, 60_000, perMinute).map((n) => `${inbox.gate} (${plan}): ${n} in a minute`),
        ...exceeded(at, HOUR_MS, perHour).map((n) => `${inbox.gate} (${plan}): ${n} in an hour`),
      ];
    });
    return { checked: inboxes.reduce((sum, { rows }) => sum + rows.length, 0), broken };
  },

  "no file is left unsettled in any gate"({ inboxes }) {
    const rows = inboxes.flatMap((inbox) => inbox.rows);
    const left = rows.filter(
      ({ state }) => state === "queued" || state === "receiving" || state === "dropped",
    );
    return { checked: rows.length, broken: left.map(({ fileId, state }) => `${fileId} is ${state}`) };
  },

  "no file was due for longer than a lease"({ drained, inboxes }) {
    const checked = inboxes.reduce((sum, { rows }) => sum + rows.length, 0);
    return { checked, broken: drained.stuck.map((fileId) => `${fileId} was forgotten`) };
  },

  "no file was claimed while it was leased"({ inboxes }) {
    const checked = inboxes.reduce((sum, { rows }) => sum + rows.length, 0);
    return { checked, broken: inboxes.flatMap((inbox) => inbox.handedOutTwice) };
  },

  "every report of the files-creator is stored"({ reportedCompleted, reportsUnknown, inboxes }) {
    const states = new Map(inboxes.flatMap(({ rows }) => rows.map((row) => [row.fileId, row.state])));
    const lost = reportedCompleted.filter((fileId) => states.get(fileId) !== "completed");
    return {
      checked: reportedCompleted.length,
      broken: [
        ...lost.map((fileId) => `${fileId} was reported processed and is ${states.get(fileId)}`),
        ...reportsUnknown.map((event) => `the report ${event} got 404`),
      ],
    };
  },

  "every payload is archived, sealed and complete"({ atRest, inboxes, record }) {
    const rows = new Map(inboxes.flatMap((inbox) => inbox.rows).map((row) => [row.fileId, row]));
    const broken = atRest.flatMap(({ fileId, sha256, error }) => {
      const row = rows.get(fileId);
      const unit = row && record.unitOf(row.requestId);
      if (error !== undefined) return [`${fileId} cannot be read from the archive: ${error}`];
      if (unit && unit.sha256 !== sha256) return [`${fileId} is archived with other bytes`];
      return row?.archived === false ? [`${fileId} was not archived`] : [];
    });
    return { checked: atRest.length, broken };
  },

  "every request gets a response within its deadline"({ record }) {
    const heard = record.units.flatMap((unit) => unit.heard.map((answer) => ({ unit, answer })));
    const held = heard.filter(({ answer }) => answer.held === true);
    // A machine that stalls for a moment delays a few.
    const forgiven = Math.max(3, Math.floor(heard.length / 200));
    const broken = held.length <= forgiven ? [] : held.map(({ unit }) => `${about(unit)} got no response`);
    return { checked: heard.length, broken };
  },

  "intake does not depend on settings that it does not use"({ record }) {
    const accepted = record.units.filter((unit) => acceptedAs(unit).size > 0);
    return { checked: record.units.length, broken: accepted.length > 0 ? [] : ["no report was accepted"] };
  },

  "no request got an unexpected response"({ record }) {
    const heard = record.units.flatMap((unit) => unit.heard.map((answer) => ({ unit, answer })));
    const broken = heard.filter(({ unit, answer }) => !isExpected(unit, answer));
    return {
      checked: heard.length,
      broken: broken.map(({ unit, answer }) => `${about(unit)}: ${answer.status} ${answer.error ?? ""}`),
    };
  },
};

export function judge(evidence: Evidence): Finding[] {
  return [
    ...findings("run", WORTH, evidence),
    ...findings("gateway", INVARIANTS, evidence),
    ...findings("gateway", COUNT_INVARIANTS, evidence),
    ...findings("gateway", EVENT_INVARIANTS, evidence.outbound),
    ...findings("gateway", DELIVERY_INVARIANTS, evidence.outbound),
  ];
}

function findings<Of>(about: Finding["about"], checks: Record<string, Check<Of>>, evidence: Of): Finding[] {
  return Object.entries(checks).map(([invariant, check]) => ({ about, invariant, ...check(evidence) }));
}

/** The largest count in any window of `ms`, if it exceeds the limit. `at` is sorted. */
export function exceeded(at: readonly number[], ms: number, limit: number): number[] {
  let from = 0;
  let most = 0;
  for (const [index, now] of at.entries()) {
    while ((at[from] ?? now) <= now - ms) from++;
    most = Math.max(most, index - from + 1);
  }
  return most > limit ? [most] : [];
}

/** A valid request is rejected only when it is too late, or when its sender reused a key. */
function isExpected(unit: Unit, { status, error }: Heard): boolean {
  if (status === null || status === 429 || status === 503) return true;
  if (!unit.valid) return status === 400 || status === 401 || status === 404 || status === 415;
  if (status === 401) return error === "Request timestamp expired";
  if (status === 409) return unit.kind === "key used twice";
  return status === 200 || status === 202 || status === 502;
}

function groupByUnit(stored: readonly SentFile[], record: SendingRecord): Map<Unit | null, StoredFile[]> {
  return Map.groupBy(stored, (file) => record.unitOf(file.requestId));
}

function about({ name, kind }: Unit): string {
  return `${name} (${kind})`;
}
