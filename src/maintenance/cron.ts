/**
 * The minute cron, as a list of parts. The parts are independent: a part that fails is logged and runs again a minute later.
 */

import type { Bindings } from "../bindings.ts";
import { inParallel } from "../concurrency.ts";
import { purgeAudit } from "../db/audit.ts";
import { purgeCreations } from "../db/creations.ts";
import { findGatesInRange, findUnpropagated } from "../db/gates.ts";
import { purgeSessions } from "../db/portal-links.ts";
import { withDeadline } from "../deadline.ts";
import { ConfigurationError, readSettings } from "../env.ts";
import { completeStuckFiles, reconcileStuckFiles } from "../forwarding/stuck-files.ts";
import { propagate, snapshotOf } from "../gate/propagate.ts";
import { purgeJobs } from "../jobs/job-store.ts";
import { runJobs } from "../jobs/run-jobs.ts";
import { logError } from "../log.ts";
import { GATE_KINDS, type GateAddress, gateName } from "../model.ts";
import { sendNotices } from "../outbound/email-notices.ts";
import { addFailureNotices } from "../outbound/failure-notices.ts";
import { runReplays } from "../outbound/replay.ts";
import { sealClearUrls } from "../outbound/seal-clear-urls.ts";
import { sweep } from "../outbound/sweep.ts";
import { WATCH_NAME } from "../raised-conditions.ts";
import { rollUp } from "../usage/roll-up.ts";
import { purgeUsage } from "../usage/usage-retention.ts";
import { eraseConnectionsDue, eraseKeysDue, eraseOwnersDue } from "./erasure.ts";
import { retain, settleEndedSecrets } from "./retention.ts";

export const EVERY_MINUTE = "* * * * *";
const MINUTES_PER_HOUR = 60;
const MINUTES_PER_DAY = 1_440;
const ROWS_PER_RUN = 200;
const GATES_AT_A_TIME = 6;
/** A part that takes longer runs on beside the next ones, so that a part that hangs does not delay the others. */
const PART_MS = 60_000;

/** Throws for an unknown cron expression: a trigger without work is a configuration mistake. */
export async function runScheduled(cron: string, now: number, env: Bindings): Promise<void> {
  if (cron !== EVERY_MINUTE) throw new Error(`no work is known for the cron ${cron}`);
  await part("run replays", () => runReplays(env, now));
  await part("wake endpoints", () => sweep(env, now));
  await part("erase connections", () => eraseConnectionsDue(env, now));
  await part("erase API keys", () => eraseKeysDue(env, now));
  await part("erase owners", () => eraseOwnersDue(env.DB, now));
  await part("propagate rows to gates", () => propagateChanged(env));
  await part("poke gates", () => pokeSlice(env, now));
  await part("reconcile stuck files", () => reconcileStuckFiles(env, now));
  // After the parts that deliveries and files wait for, since jobs may take a third of the minute.
  await part("run jobs", () => runJobs(env, now));
  await part("complete stuck files", () => completeStuckFiles(env));
  await part("roll counts up", () => rollUp(env.DB, now));
  await part("apply retention", () => retain(env.DB, sliceOfHour(now), now));
  await part("settle ended secrets", () => settleEndedSecrets(env.DB, sliceOfDay(now), now));
  await part("purge counts", () => purgeUsage(env.DB, sliceOfHour(now), now));
  await part("add notices of failing endpoints", () => addFailureNotices(env.DB, now));
  await part("send notices", () => sendNotices(env, readSettings(env), now));
  await part("seal webhook URLs", () => sealClearUrls(env.DB, readSettings(env).keyRing, now));
  await part("purge creations", () => purgeCreations(env.DB, now));
  await part("purge jobs", () => purgeJobs(env.DB, now));
  await part("purge sessions", () => purgeSessions(env.DB, now));
  await part("purge the audit trail", () => purgeAudit(env.DB, now));
  await part("notify the watch", () => env.WATCH.getByName(WATCH_NAME).cronRan());
}

async function part(name: string, work: () => Promise<void>): Promise<void> {
  try {
    await withDeadline(`cron: ${name}`, PART_MS, work);
  } catch (error) {
    // The problem of the setting has been logged already.
    if (error instanceof ConfigurationError) return;
    logError("failed to run a part of the minute cron", { part: name }, error);
  }
}

/** Propagates rows whose portal request could not reach the gate. */
async function propagateChanged(env: Bindings): Promise<void> {
  for (const kind of GATE_KINDS) {
    await inParallel(await findUnpropagated(env.DB, kind, ROWS_PER_RUN), GATES_AT_A_TIME, (row) =>
      reach({ kind, id: row.id }, () => propagate(snapshotOf(kind, row), env)),
    );
  }
}

/** Calls each gate once per day, in case the platform has dropped its alarm. */
async function pokeSlice(env: Bindings, now: number): Promise<void> {
  const { from, to } = sliceOfDay(now);
  for (const kind of GATE_KINDS) {
    await inParallel(await findGatesInRange(env.DB, kind, from, to), GATES_AT_A_TIME, (gate) =>
      reach(gate, () => env.CONNECTION_GATE.getByName(gateName(gate)).poke()),
    );
  }
}

/** A gate that cannot be reached does not delay the others. */
async function reach(gate: GateAddress, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    logError("failed to reach a gate", { gate: gateName(gate) }, error);
  }
}

/** The ids that belong to this minute of the day: a 1440th of them, by their first six digits, which are random hex. Pure. */
export function sliceOfDay(time: number): Slice {
  return sliceOf(MINUTES_PER_DAY, time);
}

/** As {@link sliceOfDay}, for the minute of the hour: a 60th of the ids. */
function sliceOfHour(time: number): Slice {
  return sliceOf(MINUTES_PER_HOUR, time);
}

/** Ids from `from` up to but not including `to`. */
interface Slice {
  from: string;
  to: string;
}

function sliceOf(minutes: number, time: number): Slice {
  const minute = Math.floor(time / 60_000) % minutes;
  const bound = (m: number) => Math.ceil((m * 0x1000000) / minutes);
  const hex = (n: number) => n.toString(16).padStart(6, "0");
  return { from: hex(bound(minute)), to: minute === minutes - 1 ? "g" : hex(bound(minute + 1)) };
}
