/** What must hold at the end, judged from what senders heard, what the files-creator has, and what the gates hold. Pure. */
import { HOUR_MS, PLAN_LIMITS } from "../../../src/gate/rate-window.ts";
import type { Check } from "./check.ts";
import { DELIVERY_INVARIANTS } from "./delivery-invariants.ts";
import type { Drained } from "./drain.ts";
import { EVENT_INVARIANTS } from "./event-invariants.ts";
import type { StoredFile } from "./files-creator.ts";
import type { AtRest, InboxReport } from "./orders.ts";
import type { OutboundEvidence } from "./outbound-evidence.ts";
import { acceptedAs, type Heard, isUnanswered, type SendingRecord, type Unit } from "./record.ts";
import type { Connection } from "./reports.ts";

export interface Evidence {
  kills: number;
  /** How many kills and 202s make a run worth its name. */
  least: { kills: number; accepted: number };
  connections: Connection[];
  record: SendingRecord;
  stored: SentFile[];
  /** Keys that came to the files-creator with other bytes than before. */
  otherBytes: string[];
  /** File ids of `file.processed` reports that the gateway took, and ids of reports it did not know the file of. */
  reportedCompleted: string[];
  reportsUnknown: string[];
  inboxes: InboxReport[];
  atRest: AtRest[];
  drained: Drained;
  outbound: OutboundEvidence;
}

/** A stored file, and the id of the request that its sender sent, as the gate recorded it. */
export interface SentFile extends StoredFile {
  requestId: string;
}

export interface Finding {
  about: "run" | "gateway";
  invariant: string;
  checked: number;
  /** One line for each thing that broke it. */
  broken: string[];
}

/** What makes a run worth its name. They say nothing of the gateway: what breaks one of these may be the machine. */
const WORTH: Record<string, Check<Evidence>> = {
  "there was a storm, and reports got through it"({ kills, least, record }) {
    const accepted = record.units.filter((unit) => acceptedAs(unit).size > 0).length;
    const broken: string[] = [];
    if (kills < least.kills) broken.push(`${kills} kills, not ${least.kills}`);
    if (accepted < least.accepted) broken.push(`${accepted} reports accepted, not ${least.accepted}`);
    return { checked: accepted, broken };
  },

  "deliveries got through it, and some could not"({ outbound: { leastDelivered, deliveries } }) {
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
      if (files.length !== 1) return [`${about(unit)} was accepted as ${id} and is ${files.length} files`];
      const [file] = files;
      if (file?.fileId !== id) return [`${about(unit)} was accepted as ${id} and stored as ${file?.fileId}`];
      return file?.sha256 === unit.sha256 ? [] : [`${about(unit)} was stored with other bytes (${id})`];
    });
    return { checked: accepted.length, broken };
  },

  "every refused request is no file"({ record, stored }) {
    const byUnit = groupByUnit(stored, record);
    const refused = record.units.filter(
      (unit) => !unit.valid || (acceptedAs(unit).size === 0 && !isUnanswered(unit)),
    );
    const broken = refused.flatMap((unit) => {
      const files = byUnit.get(unit) ?? [];
      const welcomed = unit.valid ? [] : unit.heard.filter(({ status }) => status !== null && status < 400);
      if (files.length > 0) return [`${about(unit)} was refused and is a file: ${files[0]?.fileId}`];
      return welcomed.length > 0
        ? [`${about(unit)} had to be refused and was answered ${welcomed[0]?.status}`]
        : [];
    });
    return { checked: refused.length, broken };
  },

  "what only heard 503 or nothing is at most one file"({ record, stored }) {
    const byUnit = groupByUnit(stored, record);
    const unanswered = record.units.filter(
      (unit) => unit.valid && acceptedAs(unit).size === 0 && isUnanswered(unit),
    );
    const broken = unanswered.flatMap((unit) => {
      const files = byUnit.get(unit) ?? [];
      if (files.length > 1) return [`${about(unit)} is ${files.length} files`];
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
      broken: broken.map((unit) => `${about(unit)} was told ${[...acceptedAs(unit)].join(" and ")}`),
    };
  },

  "every file comes from a request, and never changes"({ record, stored, otherBytes }) {
    const unknown = stored.filter((file) => record.unitOf(file.requestId) === null);
    const broken = [
      ...unknown.map((file) => `${file.fileId} comes from nowhere (${file.requestId})`),
      ...otherBytes.map((key) => `${key} came again with other bytes`),
    ];
    return { checked: stored.length, broken };
  },

  "no rate window was exceeded, by the gate's clock"({ inboxes, connections }) {
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

  "nothing is left unsettled in any inbox"({ inboxes }) {
    const rows = inboxes.flatMap((inbox) => inbox.rows);
    const left = rows.filter(
      ({ state }) => state === "queued" || state === "receiving" || state === "dropped",
    );
    return { checked: rows.length, broken: left.map(({ fileId, state }) => `${fileId} is ${state}`) };
  },

  "nothing was due for longer than a lease"({ drained, inboxes }) {
    const checked = inboxes.reduce((sum, { rows }) => sum + rows.length, 0);
    return { checked, broken: drained.stuck.map((fileId) => `${fileId} was forgotten`) };
  },

  "no file was handed out while it was held"({ inboxes }) {
    const checked = inboxes.reduce((sum, { rows }) => sum + rows.length, 0);
    return { checked, broken: inboxes.flatMap((inbox) => inbox.handedOutTwice) };
  },

  "what the files-creator reported is kept"({ reportedCompleted, reportsUnknown, inboxes }) {
    const states = new Map(inboxes.flatMap(({ rows }) => rows.map((row) => [row.fileId, row.state])));
    const lost = reportedCompleted.filter((fileId) => states.get(fileId) !== "completed");
    return {
      checked: reportedCompleted.length,
      broken: [
        ...lost.map((fileId) => `${fileId} was reported processed and is ${states.get(fileId)}`),
        ...reportsUnknown.map((event) => `the report ${event} was answered 404`),
      ],
    };
  },

  "every report rests in the archive, sealed and whole"({ atRest, inboxes, record }) {
    const rows = new Map(inboxes.flatMap((inbox) => inbox.rows).map((row) => [row.fileId, row]));
    const broken = atRest.flatMap(({ fileId, sha256, error }) => {
      const row = rows.get(fileId);
      const unit = row && record.unitOf(row.requestId);
      if (error !== undefined) return [`${fileId} cannot be read: ${error}`];
      if (unit && unit.sha256 !== sha256) return [`${fileId} rests with other bytes`];
      return row?.archived === false ? [`${fileId} has not left its gate`] : [];
    });
    return { checked: atRest.length, broken };
  },

  "no answer is held for ever"({ record }) {
    const heard = record.units.flatMap((unit) => unit.heard.map((answer) => ({ unit, answer })));
    const held = heard.filter(({ answer }) => answer.held === true);
    // A machine that stands still for a moment holds a few.
    const forgiven = Math.max(3, Math.floor(heard.length / 200));
    const broken = held.length <= forgiven ? [] : held.map(({ unit }) => `${about(unit)} was never answered`);
    return { checked: heard.length, broken };
  },

  "intake depends on nothing it does not use"({ record }) {
    const accepted = record.units.filter((unit) => acceptedAs(unit).size > 0);
    return { checked: record.units.length, broken: accepted.length > 0 ? [] : ["no report was accepted"] };
  },

  "no request was answered what it should not be"({ record }) {
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
    ...findings("gateway", EVENT_INVARIANTS, evidence.outbound),
    ...findings("gateway", DELIVERY_INVARIANTS, evidence.outbound),
  ];
}

function findings<Of>(about: Finding["about"], checks: Record<string, Check<Of>>, evidence: Of): Finding[] {
  return Object.entries(checks).map(([invariant, check]) => ({ about, invariant, ...check(evidence) }));
}

/** The largest count of any window of `ms`, when it is over the limit. `at` is sorted. */
export function exceeded(at: readonly number[], ms: number, limit: number): number[] {
  let from = 0;
  let most = 0;
  for (const [index, now] of at.entries()) {
    while ((at[from] ?? now) <= now - ms) from++;
    most = Math.max(most, index - from + 1);
  }
  return most > limit ? [most] : [];
}

/** Valid requests are refused only for what time or their sender's mistake made of them. */
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
