/** After the storm: faults stop, the clock runs on, and every accepted report must become a file. */
import { pause } from "./chance.ts";
import type { FilesCreator } from "./files-creator.ts";
import type { GatewayProcess } from "./gateway-process.ts";
import { type Backlog, CALM } from "./orders.ts";

/** In the gateway's time. Short, so that no wait is skipped. */
const HOP_MS = 300_000;
/** A file that is due for longer than a lease and one hop counts as forgotten. */
const FILE_LEASE_MS = 600_000;
const STUCK_AFTER_MS = FILE_LEASE_MS + HOP_MS;
/** The longest backoff after a few failures is 75 minutes, followed by one lease at most. */
const LONGEST_DRAIN_MS = 3 * 3_600_000;
const QUIET_MS = 250;
/** In real time. The backlog of a long run takes a while. */
const QUIET_PATIENCE_MS = 300_000;
const STUCK_PATIENCE_MS = 10_000;
const REPORTS_PATIENCE_MS = 10_000;
const REPLAY_ROUNDS = 3;
const POLL_MS = 50;

export interface Drained {
  /** How long it took until every file was settled, in the gateway's time. */
  tookMs: number;
  /** Files that were due for longer than a lease. */
  stuck: string[];
  replayed: number;
}

export async function drain(
  gateway: GatewayProcess,
  filesCreator: FilesCreator,
  portal: Record<string, string>,
): Promise<Drained> {
  filesCreator.weather = "fine";
  await gateway.order({ rates: CALM });
  const startedAt = gateway.now();
  const stuck = new Set<string>();
  const replayed = new Set<string>();
  let tookMs = 0;
  for (let round = 0; round < REPLAY_ROUNDS; round++) {
    await settle(gateway, filesCreator, stuck, gateway.now() + LONGEST_DRAIN_MS);
    if (round === 0) tookMs = gateway.now() - startedAt;
    // An operator replays each refused file and the files-creator accepts it, so that every 202 becomes a file.
    const refused = [...filesCreator.refused.values()].filter((fileId) => !replayed.has(fileId));
    if (refused.length === 0) break;
    for (const fileId of refused) {
      const response = await fetch(`${gateway.url}/api/v1/files/${fileId}/replay`, {
        method: "POST",
        headers: portal,
      });
      await response.arrayBuffer();
      replayed.add(fileId);
    }
  }
  for (let i = 0; filesCreator.reports.pending > 0 && i < REPORTS_PATIENCE_MS / POLL_MS; i++)
    await pause(POLL_MS);
  return { tookMs, stuck: [...stuck], replayed: replayed.size };
}

/** Advances the clock until every file is settled, or until `deadline`. */
async function settle(
  gateway: GatewayProcess,
  filesCreator: FilesCreator,
  stuck: Set<string>,
  deadline: number,
): Promise<Backlog> {
  for (let first = true; ; first = false) {
    await quiet(filesCreator);
    const backlog = await gateway.control<Backlog>("backlog");
    const overdue = first || stuck.size > 0 ? null : await forgotten(gateway, backlog);
    if (overdue !== null) stuck.add(overdue);
    if (backlog.unsettled === 0 || backlog.now > deadline) return backlog;
    await gateway.order({ forwardMs: HOP_MS });
    await gateway.control("cron");
  }
}

/** A file that was due for too long, and still is after a busy machine has had time to forward it. */
async function forgotten(gateway: GatewayProcess, seen: Backlog): Promise<string | null> {
  let backlog = seen;
  for (const since = Date.now(); backlog.overdueMs > STUCK_AFTER_MS; ) {
    if (Date.now() - since > STUCK_PATIENCE_MS) return backlog.overdueFile;
    await pause(QUIET_MS);
    backlog = await gateway.control<Backlog>("backlog");
  }
  return null;
}

/** Advances the clock until every payload is archived. */
export async function archive(gateway: GatewayProcess, filesCreator: FilesCreator): Promise<void> {
  const deadline = gateway.now() + LONGEST_DRAIN_MS;
  for (;;) {
    const backlog = await gateway.control<Backlog>("backlog");
    if (backlog.unarchived === 0 || backlog.now > deadline) return;
    await gateway.order({ forwardMs: HOP_MS });
    await quiet(filesCreator);
  }
}

/** Waits until no POST arrives for a moment, so that alarms and queue have done all due work. */
async function quiet(filesCreator: FilesCreator): Promise<void> {
  const since = Date.now();
  while (Date.now() - since < QUIET_PATIENCE_MS) {
    await pause(POLL_MS);
    const calmSince = Math.max(since, filesCreator.lastPostAt);
    if (filesCreator.inFlight === 0 && Date.now() - calmSince > QUIET_MS) return;
  }
}
