/**
 * The files queue's consumer: claim what a wake-up names, hand it to the files-creator, settle it in its gate.
 *
 * The gates' rows are the truth. A message only ever leads to work that a row still asks for, so lost, repeated and late
 * messages are all the same; a file whose settlement is lost is forwarded again and dropped there by its key.
 */

import type { Bindings } from "../bindings.ts";
import { inParallel, Semaphore } from "../concurrency.ts";
import { dataKeyContext, errorContext, payloadContext } from "../crypto/contexts.ts";
import { type Bytes, discard, utf8 } from "../crypto/encoding.ts";
import { type DataKey, RingKeyMissing, seal, unseal, unwrapDataKey } from "../crypto/vault.ts";
import { ConfigurationError, type Settings } from "../env.ts";
import { gateDigitsOf, parseFileId } from "../gate/file-id.ts";
import type { Claimed, Outcome, OwedEvent, Settled } from "../gate/protocol.ts";
import { logError, logLine } from "../log.ts";
import { type FileWakeUp, fileWakeUp } from "../messages.ts";
import { type GateAddress, gateName } from "../model.ts";
import { publishFileEvents } from "../outbound/publish-file-events.ts";
import { findSubscribersOfFiles } from "../outbound/subscribers.ts";
import { recordPosts, requestPermit } from "./circuit-breaker.ts";
import { type PostResult, postFile } from "./files-creator.ts";
import { recordStuckFiles, type StuckFileChange } from "./stuck-files.ts";

/** The platform lets six requests of one invocation wait for headers at a time. */
const MAX_IN_FLIGHT = 6;
/** Payload bytes held at a time: sealed and open, a 10 MiB report takes twice its size. */
const MAX_PAYLOAD_BYTES = 24 * 1024 ** 2;
/** How long suspects are started: with one more answer after it, and the others before, a batch ends within its lease. */
const SUSPECTS_BUDGET_MS = 60_000;
/** The shortest time that a file waits which was not tried. */
const POSTPONE_MS = 1_000;
/** How long a message waits whose gate could not be asked. */
const GATE_RETRY_S = 30;
/** How long the other files are started, so that a batch ends within its lease when every part answers at its deadline. */
const OTHERS_BUDGET_MS = 360_000;
/** The shortest time that a file waits which cannot be tried before somebody corrects the settings. */
const HELD_MS = 60_000;

/** A claimed file with what is needed to open it. */
interface Job {
  file: Claimed;
  gate: GateAddress;
  dataKey: DataKey;
}

/** Files of one gate that are claimed and cannot be tried with the present settings. Says nothing of their gate. */
interface HeldFiles {
  gate: GateAddress;
  files: Claimed[];
  reason: "ring_key_missing" | "not_configured";
}

/** What one batch finds out beside the answers: for operators, and for the owners' webhooks. */
interface Findings {
  attention: StuckFileChange[];
  owed: OwedEvent[];
}

const UNREADABLE: PostResult = {
  kind: "unavailable",
  responseStatus: null,
  retryAfterMs: null,
  text: "the payload could not be read",
};

/** Every message settles on its own; never rejects for one file's sake. */
export async function forwardBatch(
  batch: MessageBatch<FileWakeUp>,
  env: Bindings,
  settings: Settings,
): Promise<void> {
  const findings: Findings = { attention: [], owed: [] };
  const wakeUps = batch.messages.map((message) => ({ message, fileIds: fileIdsOf(message) }));
  const { jobs, held, unasked } = await claimAll(
    wakeUps.flatMap(({ fileIds }) => fileIds),
    env,
    settings,
    findings,
  );
  // What was claimed is in hand: a message that comes again finds it leased.
  for (const { message, fileIds } of wakeUps) {
    if (fileIds.some((fileId) => unasked.has(fileId))) message.retry({ delaySeconds: GATE_RETRY_S });
    else message.ack();
  }

  for (const each of held) await holdBack(each, env, findings);

  // One file at a time that may be what kills the consumer, after all others are safe, and only as long as leases last.
  const suspects = jobs.filter((job) => job.file.suspect);
  const others = jobs.filter((job) => !job.file.suspect);
  const listened = filesWithSubscribers(jobs, env);
  const othersUntil = Date.now() + OTHERS_BUDGET_MS;
  await forwardAll(
    others,
    { inFlight: MAX_IN_FLIGHT, startUntil: othersUntil, listened },
    env,
    settings,
    findings,
  );
  await tell(findings, env, settings);
  const startUntil = Date.now() + SUSPECTS_BUDGET_MS;
  await forwardAll(suspects, { inFlight: 1, startUntil, listened }, env, settings, findings);
  await tell(findings, env, settings);
}

async function tell(findings: Findings, env: Bindings, settings: Settings): Promise<void> {
  await recordStuckFiles(env.DB, findings.attention.splice(0));
  await publishFileEvents(findings.owed.splice(0), env, settings);
}

/** Whether a file may have webhook subscribers. Where D1 does not answer, it may. Never rejects. */
async function filesWithSubscribers(jobs: readonly Job[], env: Bindings): Promise<(job: Job) => boolean> {
  if (jobs.length === 0) return () => false;
  try {
    const fileOf = ({ gate, file: { facts } }: Job) => ({ gate, employerId: facts.employerId });
    const subscribersOf = await findSubscribersOfFiles(env.DB, jobs.map(fileOf));
    return (job) => (subscribersOf(fileOf(job))?.owners.length ?? 0) > 0;
  } catch (error) {
    logError("could not look up webhook subscribers", { files: jobs.length }, error);
    return () => true;
  }
}

function fileIdsOf(message: Message<FileWakeUp>): string[] {
  const body = fileWakeUp.safeParse(message.body);
  if (!body.success) {
    logError("a message of the files queue is not a wake-up", { message_id: message.id });
    return [];
  }
  return body.data.file_ids.map((text) => parseFileId(text)?.fileId).filter((fileId) => fileId !== undefined);
}

/**
 * Claims with one call for each gate. `held`: files that cannot be tried now. `unasked`: the ids whose gate gave no answer.
 * Never rejects.
 */
async function claimAll(
  fileIds: readonly string[],
  env: Bindings,
  settings: Settings,
  findings: Findings,
): Promise<{ jobs: Job[]; held: HeldFiles[]; unasked: ReadonlySet<string> }> {
  const jobs: Job[] = [];
  const held: HeldFiles[] = [];
  const unasked = new Set<string>();
  const byGate = Map.groupBy(fileIds, (fileId) => gateDigitsOf(fileId));
  await inParallel([...byGate.values()], MAX_IN_FLIGHT, async (ids) => {
    try {
      const claimed = await claim(ids, env, settings, findings);
      if ("reason" in claimed) held.push(claimed);
      else jobs.push(...claimed.jobs);
    } catch (error) {
      logError("a gate could not be asked for its files", { files: ids.join(",") }, error);
      for (const fileId of ids) unasked.add(fileId);
    }
  });
  return { jobs, held, unasked };
}

async function claim(
  fileIds: string[],
  env: Bindings,
  settings: Settings,
  findings: Findings,
): Promise<{ jobs: Job[] } | HeldFiles> {
  const gate = parseFileId(fileIds[0] ?? "")?.gate;
  if (gate === undefined) return { jobs: [] };
  const { files, wrappedKey, owed = [] } = await env.CONNECTION_GATE.getByName(gateName(gate)).claim(fileIds);
  findings.owed.push(...owed);
  if (files.length === 0) return { jobs: [] };
  try {
    const dataKey = await unwrapDataKey(settings.keyRing, wrappedKey, dataKeyContext(gate));
    // Read before a file is tried: an attempt without it would count.
    void settings.filesCreator;
    return { jobs: files.map((file) => ({ file, gate, dataKey })) };
  } catch (error) {
    const fields = { gate: gateName(gate), files: files.length };
    if (error instanceof RingKeyMissing) {
      logError("a key is missing in the key ring", { ...fields, ring_key: error.ringKey }, error);
      return { gate, files, reason: "ring_key_missing" };
    }
    if (error instanceof ConfigurationError) {
      logError("files cannot be forwarded", { ...fields, part: error.part }, error);
      return { gate, files, reason: "not_configured" };
    }
    throw error;
  }
}

/** Gives files back untried, for as long as the settings are as they are: no attempt counts. Never rejects. */
async function holdBack(
  { gate, files, reason }: HeldFiles,
  env: Bindings,
  { attention }: Findings,
): Promise<void> {
  await giveBack(gateName(gate), files, HELD_MS, env);
  for (const { fileId, attempt } of files) {
    const untried = { responseStatus: null, attempts: attempt - 1, nextAttemptAt: null };
    attention.push({ kind: "set", fileId, reason, ...untried });
  }
}

/** Files that are not granted by the circuit breaker, or not started before `startUntil`, go back untried. */
async function forwardAll(
  jobs: Job[],
  {
    inFlight,
    startUntil,
    listened,
  }: {
    inFlight: number;
    startUntil: number;
    listened: Promise<(job: Job) => boolean>;
  },
  env: Bindings,
  settings: Settings,
  { attention, owed }: Findings,
): Promise<void> {
  if (jobs.length === 0) return;
  const { granted, retryAfterMs, healthy } = await requestPermit(jobs.length, env);
  const untried = jobs.slice(granted);
  const memory = new Semaphore(MAX_PAYLOAD_BYTES);
  let answered = 0;
  let unanswered = 0;
  await inParallel(jobs.slice(0, granted), inFlight, async (job) => {
    if (Date.now() > startUntil) return void untried.push(job);
    const release = await memory.acquire(2 * job.file.facts.size);
    try {
      const { answer, reached } = await attempt(job, env, settings);
      if (answer.kind !== "unavailable") answered++;
      else if (reached) unanswered++;
      const settled = await settle(job, await outcomeOf(job, answer), (await listened)(job), env);
      if (settled === null) return;
      attention.push(...stuckFileChanges(job, answer, settled));
      owed.push(...(settled.owed ?? []));
    } finally {
      release();
    }
  });
  await postpone(untried, Math.max(retryAfterMs, POSTPONE_MS), env);
  if (!healthy || unanswered > 0) await recordPosts(answered, unanswered, env);
}

/** `reached`: whether the answer, or its absence, says anything about the files-creator. Never rejects. */
async function attempt(
  job: Job,
  env: Bindings,
  settings: Settings,
): Promise<{ answer: PostResult; reached: boolean }> {
  try {
    const payload = await readPayload(job, env);
    if (payload !== null) {
      const answer = await post(job, payload, env, settings);
      discard(payload);
      return { answer, reached: true };
    }
  } catch (error) {
    logError("a file could not be posted", { file_id: job.file.fileId }, error);
  }
  return { answer: UNREADABLE, reached: false };
}

async function post(job: Job, payload: Bytes, env: Bindings, settings: Settings): Promise<PostResult> {
  const startedAt = Date.now();
  const answer = await postFile(job.file, payload, env, settings);
  logLine("forwarded", {
    file_id: job.file.fileId,
    request_id: job.file.facts.requestId,
    outcome: answer.kind,
    status: answer.kind === "accepted" ? 200 : answer.responseStatus,
    attempt: job.file.attempt,
    ms: Date.now() - startedAt,
  });
  return answer;
}

/** Null when the payload cannot be read now. That says nothing about the files-creator; the file is deferred. */
async function readPayload({ file, gate, dataKey }: Job, env: Bindings): Promise<Bytes | null> {
  const context = payloadContext(gate, file.fileId);
  try {
    if ("sealed" in file.payload) return await unseal(dataKey, file.payload.sealed, context);
    const { key, offset, length } = file.payload.stored;
    const object = await env.ARCHIVE.get(key, { range: { offset, length } });
    if (object === null) throw new Error("it is missing from the archive");
    const sealed = new Uint8Array(await object.arrayBuffer());
    const payload = await unseal(dataKey, sealed, context);
    discard(sealed);
    return payload;
  } catch (error) {
    logError("a payload could not be read", { file_id: file.fileId }, error);
    return null;
  }
}

async function outcomeOf({ file, gate, dataKey }: Job, answer: PostResult): Promise<Outcome> {
  if (answer.kind === "accepted") return { kind: "forwarded", recordsTotal: answer.recordsTotal };
  const error = await seal(dataKey, utf8(answer.text), errorContext(gate, file.fileId));
  return answer.kind === "refused"
    ? { kind: "refused", responseStatus: answer.responseStatus, error }
    : { kind: "deferred", responseStatus: answer.responseStatus, retryAfterMs: answer.retryAfterMs, error };
}

/** Null without an answer from the gate, after a second try: the row still asks for the file then. */
async function settle(
  { file, gate }: Job,
  outcome: Outcome,
  listened: boolean,
  env: Bindings,
): Promise<Settled | null> {
  for (const attempt of [1, 2]) {
    try {
      return await env.CONNECTION_GATE.getByName(gateName(gate)).settle(
        file.fileId,
        file.token,
        outcome,
        listened,
      );
    } catch (error) {
      logError("a file was not settled", { file_id: file.fileId, outcome: outcome.kind, attempt }, error);
    }
  }
  return null;
}

/** Gives files back untried, with one call for each gate. Never rejects. */
async function postpone(jobs: Job[], retryAfterMs: number, env: Bindings): Promise<void> {
  const byGate = Map.groupBy(jobs, ({ gate }) => gateName(gate));
  await inParallel([...byGate], MAX_IN_FLIGHT, async ([name, held]) => {
    const files = held.map(({ file }) => file);
    await giveBack(name, files, retryAfterMs, env);
  });
}

/** A gate that gives no answer wakes the files when their lease has run out. Never rejects. */
async function giveBack(
  name: string,
  files: readonly Claimed[],
  retryAfterMs: number,
  env: Bindings,
): Promise<void> {
  const claimed = files.map(({ fileId, token }) => ({ fileId, token }));
  try {
    await env.CONNECTION_GATE.getByName(name).postpone(claimed, retryAfterMs);
  } catch (error) {
    logError("files were not postponed", { gate: name, files: claimed.length }, error);
  }
}

function stuckFileChanges({ file }: Job, answer: PostResult, settled: Settled): StuckFileChange[] {
  if (answer.kind === "accepted") {
    // A report of the files-creator may have failed the file already, or a replay may have queued it again.
    const done = settled.status === "processing" || settled.status === "completed";
    return done && (file.attempt > 1 || file.generation > 1) ? [{ kind: "clear", fileId: file.fileId }] : [];
  }
  if (!settled.applied) return [];
  const { attempts, nextAttemptAt } = settled;
  const reason =
    settled.status === "failed" ? (answer.kind === "refused" ? "refused" : "gave_up") : "deferred";
  return [
    {
      kind: "set",
      fileId: file.fileId,
      reason,
      responseStatus: answer.responseStatus,
      attempts,
      nextAttemptAt,
    },
  ];
}
