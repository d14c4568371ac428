/**
 * The minute cron: tells gates what a portal change could not tell them, wakes each gate once a day in case its alarm was
 * dropped, brings the operators' list up to date, and deletes what
 * is due: data keys of erased connections, API keys and owners, tokens of new keys, old audit rows. Each part is on its own; a part that fails is logged and comes again.
 */

import { inParallel } from "../concurrency.ts";
import { purgeAudit } from "../db/audit.ts";
import { purgeCreations } from "../db/creations.ts";
import { findBehind, findInRange } from "../db/gates.ts";
import { withDeadline } from "../deadline.ts";
import { type Bindings, ConfigurationError, readSettings } from "../env.ts";
import { reconcileAttention } from "../forwarding/stuck-files.ts";
import { propagate, snapshotOf } from "../gate/propagate.ts";
import { logError } from "../log.ts";
import { GATE_KINDS, type GateAddress, gateName } from "../model.ts";
import { sendNotices } from "../outbound/email-notices.ts";
import { noticeFailing } from "../outbound/failing.ts";
import { runReplays } from "../outbound/replay.ts";
import { sealClearUrls } from "../outbound/seal-clear-urls.ts";
import { sweep } from "../outbound/sweep.ts";
import { eraseDue, eraseKeysDue, eraseOwnersDue } from "./erasure.ts";
import { retain } from "./retention.ts";

export const EVERY_MINUTE = "* * * * *";
const MINUTES_PER_HOUR = 60;
const MINUTES_PER_DAY = 1_440;
const BEHIND_PER_RUN = 200;
const GATES_AT_A_TIME = 6;
/** A part that takes longer goes on beside the next ones, so that what hangs keeps nothing else from being done. */
const PART_MS = 60_000;

/** Throws for a cron expression that nobody handles: a trigger without work is a mistake in the configuration. */
export async function runScheduled(cron: string, scheduledTime: number, env: Bindings): Promise<void> {
  if (cron !== EVERY_MINUTE) throw new Error(`no work is known for the cron ${cron}`);
  await part("replay", () => runReplays(env, scheduledTime));
  await part("wake endpoints", () => sweep(env, scheduledTime));
  await part("erase connections", () => eraseDue(env, scheduledTime));
  await part("erase API keys", () => eraseKeysDue(env, scheduledTime));
  await part("erase owners", () => eraseOwnersDue(env.DB, scheduledTime));
  await part("refresh gates", () => refreshBehind(env));
  await part("poke gates", () => pokeSlice(env, scheduledTime));
  await part("reconcile attention", () => reconcileAttention(env, scheduledTime));
  await part("retain", () => retain(env.DB, sliceOfHour(scheduledTime), scheduledTime));
  await part("notice failing endpoints", () => noticeFailing(env.DB, scheduledTime));
  await part("send notices", () => sendNotices(env, readSettings(env), scheduledTime));
  await part("seal webhook URLs", () => sealClearUrls(env.DB, readSettings(env).keyRing, scheduledTime));
  await part("purge creations", () => purgeCreations(env.DB, scheduledTime));
  await part("purge the audit trail", () => purgeAudit(env.DB, scheduledTime));
}

async function part(name: string, work: () => Promise<void>): Promise<void> {
  try {
    await withDeadline(`cron: ${name}`, PART_MS, work);
  } catch (error) {
    // What is wrong with the setting is in the log already.
    if (error instanceof ConfigurationError) return;
    logError("a part of the minute cron failed", { part: name }, error);
  }
}

async function refreshBehind(env: Bindings): Promise<void> {
  for (const kind of GATE_KINDS) {
    await inParallel(await findBehind(env.DB, kind, BEHIND_PER_RUN), GATES_AT_A_TIME, (row) =>
      reach({ kind, id: row.id }, () => propagate(snapshotOf(kind, row), env)),
    );
  }
}

async function pokeSlice(env: Bindings, scheduledTime: number): Promise<void> {
  const { from, to } = sliceOfDay(scheduledTime);
  for (const kind of GATE_KINDS) {
    await inParallel(await findInRange(env.DB, kind, from, to), GATES_AT_A_TIME, (gate) =>
      reach(gate, () => env.CONNECTION_GATE.getByName(gateName(gate)).poke()),
    );
  }
}

/** A gate that cannot be reached keeps no other waiting. */
async function reach(gate: GateAddress, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    logError("the minute cron did not reach a gate", { gate: gateName(gate) }, error);
  }
}

/** Ids are random hex: a minute of the day takes its 1440th of them, by their first six digits. Pure. */
export function sliceOfDay(time: number): Slice {
  return sliceOf(MINUTES_PER_DAY, time);
}

/** As {@link sliceOfDay}: a minute of the hour takes its 60th. */
export function sliceOfHour(time: number): Slice {
  return sliceOf(MINUTES_PER_HOUR, time);
}

/** Ids from `from` to before `to`. */
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
