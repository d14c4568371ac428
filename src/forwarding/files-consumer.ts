/**
 * The consumer of the files queue: claims the files that a batch of wake-ups names, acknowledges the messages, and forwards
 * the files.
 *
 * The gates' rows are the truth. A message only leads to work that a row still asks for, so lost, repeated and late messages
 * do no harm. A file whose settlement was lost is forwarded again, and the files-creator drops it by its key.
 */

import type { Bindings } from "../bindings.ts";
import { inParallel } from "../concurrency.ts";
import { dataKeyContext } from "../crypto/contexts.ts";
import { type DataKey, RingKeyMissing, unwrapDataKey } from "../crypto/vault.ts";
import { ConfigurationError, type Settings } from "../env.ts";
import { gateDigitsOf, parseFileId } from "../gate/file-id.ts";
import type { Claim, OwedEvent } from "../gate/protocol.ts";
import { logError } from "../log.ts";
import { type FileWakeUp, fileWakeUp } from "../messages.ts";
import { type GateAddress, gateName } from "../model.ts";
import { publishFileEvents } from "../outbound/publish-file-events.ts";
import { findSubscribersOfFiles } from "../outbound/subscribers.ts";
import { raiseRingKeyMissing } from "../raised-conditions.ts";
import { err, ok, type Result } from "../result.ts";
import {
  type ClaimedFile,
  type Findings,
  forwardFiles,
  type Job,
  MAX_IN_FLIGHT,
  releaseUntried,
} from "./forward-files.ts";
import { recordStuckFiles, type StuckFileChange } from "./stuck-files.ts";

/** How long a message waits whose gate could not be reached. */
const GATE_RETRY_S = 30;
/** The least time until a file is claimed again if the settings must be corrected first. */
const BLOCKED_MS = 60_000;
/** No file that is not a suspect starts later, so that a batch ends within its lease even when every call times out. */
const OTHERS_BUDGET_MS = 360_000;
/** No suspect starts later: after the other files and one more timeout, a batch still ends within its lease. */
const SUSPECTS_BUDGET_MS = 60_000;

/** Why claimed files cannot be tried with the current settings. Their gate is not at fault. */
type BlockedReason = "ring_key_missing" | "not_configured";

interface WokenFile {
  fileId: string;
  /** How long its acceptance took, if the wake-up says. */
  acceptedMs: number | null;
}

interface Claims {
  jobs: Job[];
  blocked: (ClaimedFile & { reason: BlockedReason })[];
  owed: OwedEvent[];
  /** Ids whose gate could not be reached. */
  unclaimed: string[];
}

/** Each message settles on its own. */
export async function forwardBatch(
  batch: MessageBatch<FileWakeUp>,
  env: Bindings,
  settings: Settings,
): Promise<void> {
  const wakeUps = batch.messages.map((message) => ({ message, files: filesOf(message) }));
  const allFiles = wakeUps.flatMap(({ files }) => files);
  const { jobs, blocked, owed, unclaimed } = await claimAll(allFiles, env, settings);
  // Claimed files are leased to this batch: a message that comes again finds nothing to do for them.
  for (const { message, files } of wakeUps) {
    if (files.some(({ fileId }) => unclaimed.includes(fileId))) message.retry({ delaySeconds: GATE_RETRY_S });
    else message.ack();
  }

  await releaseUntried(blocked, BLOCKED_MS, env);

  // A suspect may be the file that kills the consumer: suspects go one at a time, after all other files are safe.
  const suspects = jobs.filter(({ file }) => file.suspect);
  const others = jobs.filter(({ file }) => !file.suspect);
  const hasSubscribers = filesWithSubscribers(jobs, env);
  const run = { maxInFlight: MAX_IN_FLIGHT, startUntil: Date.now() + OTHERS_BUDGET_MS, hasSubscribers };
  const findings = await forwardFiles(others, run, env, settings);
  await report(
    {
      stuckFiles: [...blocked.map(stuckWhileBlocked), ...findings.stuckFiles],
      owed: [...owed, ...findings.owed],
    },
    env,
    settings,
  );
  const startUntil = Date.now() + SUSPECTS_BUDGET_MS;
  const alone = { maxInFlight: 1, startUntil, hasSubscribers };
  await report(await forwardFiles(suspects, alone, env, settings), env, settings);
}

/** To operators, and to the owners' webhooks. Never rejects. */
async function report({ stuckFiles, owed }: Findings, env: Bindings, settings: Settings): Promise<void> {
  await recordStuckFiles(env.DB, stuckFiles);
  await publishFileEvents(owed, env, settings);
}

function filesOf(message: Message<FileWakeUp>): WokenFile[] {
  const body = fileWakeUp.safeParse(message.body);
  if (!body.success) {
    logError("received a message in the files queue that is not a wake-up", { message_id: message.id });
    return [];
  }
  const { file_ids, accepted_ms } = body.data;
  return file_ids.flatMap((text, index) => {
    const fileId = parseFileId(text)?.fileId;
    return fileId === undefined ? [] : [{ fileId, acceptedMs: accepted_ms?.[index] ?? null }];
  });
}

/** Claims the files with one call per gate. Never rejects. */
async function claimAll(files: readonly WokenFile[], env: Bindings, settings: Settings): Promise<Claims> {
  const byGate = Map.groupBy(files, ({ fileId }) => gateDigitsOf(fileId));
  const claims = await inParallel([...byGate.values()], MAX_IN_FLIGHT, (some) => claim(some, env, settings));
  return {
    jobs: claims.flatMap(({ jobs }) => jobs),
    blocked: claims.flatMap(({ blocked }) => blocked),
    owed: claims.flatMap(({ owed }) => owed),
    unclaimed: claims.flatMap(({ unclaimed }) => unclaimed),
  };
}

/** Claims files of one gate. Never rejects. */
async function claim(woken: WokenFile[], env: Bindings, settings: Settings): Promise<Claims> {
  const claims: Claims = { jobs: [], blocked: [], owed: [], unclaimed: [] };
  const fileIds = woken.map(({ fileId }) => fileId);
  const gate = parseFileId(fileIds[0] ?? "")?.gate;
  if (gate === undefined) return claims;
  try {
    const claimed = await env.CONNECTION_GATE.getByName(gateName(gate)).claim(
      fileIds,
      woken.map(({ acceptedMs }) => acceptedMs),
    );
    claims.owed = claimed.owed ?? [];
    if (claimed.files.length === 0) return claims;
    const dataKey = await dataKeyOf(gate, claimed, env, settings);
    if (dataKey.ok) claims.jobs = claimed.files.map((file) => ({ file, gate, dataKey: dataKey.value }));
    else claims.blocked = claimed.files.map((file) => ({ file, gate, reason: dataKey.error }));
  } catch (error) {
    logError("failed to claim files from the connection's gate", { files: fileIds.join(",") }, error);
    claims.unclaimed = fileIds;
  }
  return claims;
}

/** The gate's data key, once every setting that forwarding needs is known to be there. */
async function dataKeyOf(
  gate: GateAddress,
  { wrappedKey, files }: Claim,
  env: Bindings,
  settings: Settings,
): Promise<Result<DataKey, BlockedReason>> {
  try {
    const dataKey = await unwrapDataKey(settings.keyRing, wrappedKey, dataKeyContext(gate));
    // Read before the attempts: one that failed because the setting is missing would count.
    void settings.filesCreator;
    return ok(dataKey);
  } catch (error) {
    if (error instanceof RingKeyMissing) {
      const fields = { gate: gateName(gate), files: files.length, ring_key: error.ringKey };
      logError("failed to forward a gate's files: a key is missing in the key ring", fields, error);
      await raiseRingKeyMissing(env, error.ringKey);
      return err("ring_key_missing");
    }
    if (error instanceof ConfigurationError) {
      const fields = { gate: gateName(gate), files: files.length, part: error.part };
      logError("failed to forward a gate's files: a setting is wrong", fields, error);
      return err("not_configured");
    }
    throw error;
  }
}

function stuckWhileBlocked({ file, reason }: ClaimedFile & { reason: BlockedReason }): StuckFileChange {
  const { fileId, attempt, facts } = file;
  const untried = { responseStatus: null, attempts: attempt - 1, nextAttemptAt: null };
  return { kind: "set", fileId, reason, ...untried, facts };
}

/** Tells which files may have webhook subscribers: all of them while D1 does not respond. Never rejects. */
async function filesWithSubscribers(
  jobs: readonly Job[],
  env: Bindings,
): Promise<(file: ClaimedFile) => boolean> {
  if (jobs.length === 0) return () => false;
  try {
    const addressOf = ({ gate, file }: ClaimedFile) => ({ gate, employerId: file.facts.employerId });
    const subscribersOf = await findSubscribersOfFiles(env.DB, jobs.map(addressOf));
    return (file) => (subscribersOf(addressOf(file))?.owners.length ?? 0) > 0;
  } catch (error) {
    logError("failed to look up webhook subscribers", { files: jobs.length }, error);
    return () => true;
  }
}
