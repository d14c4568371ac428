/**
 * One run over claimed files: posts each to the files-creator, settles it in its gate, and returns what the run found. When a
 * deferred file is retried is decided in `gate/backoff.ts`.
 */

import type { Bindings } from "../bindings.ts";
import { inParallel, Semaphore } from "../concurrency.ts";
import { errorContext, payloadContext } from "../crypto/contexts.ts";
import { type Bytes, discard, utf8 } from "../crypto/encoding.ts";
import { type DataKey, seal, unseal } from "../crypto/vault.ts";
import type { Settings } from "../env.ts";
import type { Claimed, Outcome, OwedEvent, Settled } from "../gate/protocol.ts";
import { logError, logLine } from "../log.ts";
import { type GateAddress, gateName } from "../model.ts";
import { recordPosts, requestPermit } from "./circuit-breaker.ts";
import { type PostResult, postFile } from "./files-creator.ts";
import type { StuckFileChange } from "./stuck-files.ts";

/** The platform lets six requests per invocation wait for response headers at a time. */
export const MAX_IN_FLIGHT = 6;
/** Payload bytes held at a time. A payload is held sealed and opened, so a 10 MiB report takes twice its size. */
const MAX_PAYLOAD_BYTES = 24 * 1024 ** 2;
/** The shortest time that an untried file waits. */
const POSTPONE_MS = 1_000;

export interface ClaimedFile {
  file: Claimed;
  gate: GateAddress;
}

/** A claimed file that can be tried: with the data key that unseals its payload. */
export interface Job extends ClaimedFile {
  dataKey: DataKey;
}

/** What a run found: changes to the operators' list, and events that the files' gates owe to webhooks. */
export interface Findings {
  stuckFiles: StuckFileChange[];
  owed: OwedEvent[];
}

export interface Run {
  maxInFlight: number;
  /** Files that have not started by then are released untried. */
  startUntil: number;
  hasSubscribers: Promise<(file: ClaimedFile) => boolean>;
}

/** `not_posted`: the payload could not be read. This says nothing about the files-creator. */
type AttemptResult = PostResult | { kind: "not_posted" };

interface Attempt {
  job: Job;
  result: AttemptResult;
  /** Null if the file could not be settled. */
  settled: Settled | null;
}

/** Forwards the files that the circuit breaker grants, and releases the rest untried. */
export async function forwardFiles(
  jobs: readonly Job[],
  run: Run,
  env: Bindings,
  settings: Settings,
): Promise<Findings> {
  if (jobs.length === 0) return { stuckFiles: [], owed: [] };
  const { granted, retryAfterMs, healthy } = await requestPermit(jobs.length, env);
  const memory = new Semaphore(MAX_PAYLOAD_BYTES);
  const untried = jobs.slice(granted);
  const started = await inParallel(jobs.slice(0, granted), run.maxInFlight, async (job) => {
    if (Date.now() > run.startUntil) return void untried.push(job);
    const release = await memory.acquire(2 * job.file.facts.size);
    try {
      return await forward(job, run, env, settings);
    } finally {
      release();
    }
  });
  const attempts = started.filter((attempt) => attempt !== undefined);
  await releaseUntried(untried, Math.max(retryAfterMs, POSTPONE_MS), env);
  const posted = attempts.filter(({ result }) => result.kind !== "not_posted");
  const unanswered = posted.filter(({ result }) => result.kind === "unavailable").length;
  if (!healthy || unanswered > 0) await recordPosts(posted.length - unanswered, unanswered, env);
  return {
    stuckFiles: attempts.flatMap(stuckFileChanges),
    owed: attempts.flatMap(({ settled }) => settled?.owed ?? []),
  };
}

/** Never rejects. */
async function forward(job: Job, run: Run, env: Bindings, settings: Settings): Promise<Attempt> {
  const result = await attempt(job, env, settings);
  const hasSubscribers = await run.hasSubscribers;
  return { job, result, settled: await settle(job, result, hasSubscribers(job), env) };
}

/** Never rejects. */
async function attempt(job: Job, env: Bindings, settings: Settings): Promise<AttemptResult> {
  try {
    const payload = await readPayload(job, env);
    const result = await post(job, payload, env, settings);
    discard(payload);
    return result;
  } catch (error) {
    logError("failed to read or post a file", { file_id: job.file.fileId }, error);
    return { kind: "not_posted" };
  }
}

async function readPayload({ file, gate, dataKey }: Job, env: Bindings): Promise<Bytes> {
  const context = payloadContext(gate, file.fileId);
  if ("sealed" in file.payload) return unseal(dataKey, file.payload.sealed, context);
  const { key, offset, length } = file.payload.stored;
  const object = await env.ARCHIVE.get(key, { range: { offset, length } });
  if (object === null) throw new Error("the payload is missing from the archive");
  const sealed = new Uint8Array(await object.arrayBuffer());
  const payload = await unseal(dataKey, sealed, context);
  discard(sealed);
  return payload;
}

async function post({ file }: Job, payload: Bytes, env: Bindings, settings: Settings): Promise<PostResult> {
  const startedAt = Date.now();
  const result = await postFile(file, payload, env, settings);
  logLine("posted a file", {
    file_id: file.fileId,
    request_id: file.facts.requestId,
    outcome: result.kind,
    status: result.responseStatus,
    attempt: file.attempt,
    ms: Date.now() - startedAt,
  });
  return result;
}

async function outcomeOf({ file, gate, dataKey }: Job, result: AttemptResult): Promise<Outcome> {
  const sealed = (text: string) => seal(dataKey, utf8(text), errorContext(gate, file.fileId));
  switch (result.kind) {
    case "accepted":
      return { kind: "forwarded", recordsTotal: result.recordsTotal };
    case "refused":
      return { kind: "refused", responseStatus: result.responseStatus, error: await sealed(result.text) };
    case "unavailable": {
      const { responseStatus, retryAfterMs, text } = result;
      return { kind: "deferred", responseStatus, retryAfterMs, error: await sealed(text) };
    }
    case "not_posted": {
      const error = await sealed("the payload could not be read");
      return { kind: "deferred", responseStatus: null, retryAfterMs: null, error };
    }
  }
}

/** Null if the file could not be settled twice: its row still asks for the file then. Never rejects. */
async function settle(
  job: Job,
  result: AttemptResult,
  hasSubscribers: boolean,
  env: Bindings,
): Promise<Settled | null> {
  const { fileId, token } = job.file;
  for (const attempt of [1, 2]) {
    try {
      const outcome = await outcomeOf(job, result);
      const stub = env.CONNECTION_GATE.getByName(gateName(job.gate));
      return await stub.settle(fileId, token, outcome, hasSubscribers);
    } catch (error) {
      logError("failed to settle a file", { file_id: fileId, outcome: result.kind, attempt }, error);
    }
  }
  return null;
}

/**
 * Releases files untried, with one call per gate; no attempt counts. A gate that cannot be reached wakes its files when their
 * lease has expired. Never rejects.
 */
export async function releaseUntried(
  files: readonly ClaimedFile[],
  retryAfterMs: number,
  env: Bindings,
): Promise<void> {
  const byGate = Map.groupBy(files, ({ gate }) => gateName(gate));
  await inParallel([...byGate], MAX_IN_FLIGHT, async ([name, ofGate]) => {
    const claimed = ofGate.map(({ file: { fileId, token } }) => ({ fileId, token }));
    try {
      await env.CONNECTION_GATE.getByName(name).postpone(claimed, retryAfterMs);
    } catch (error) {
      logError("failed to postpone files", { gate: name, files: claimed.length }, error);
    }
  });
}

function stuckFileChanges({ job: { file }, result, settled }: Attempt): StuckFileChange[] {
  const { fileId } = file;
  if (settled === null) return [];
  if (result.kind === "accepted") {
    // A report of the files-creator may have failed the file already, or a replay may have queued it again.
    const succeeded = settled.status === "processing" || settled.status === "completed";
    const mayBeListed = file.attempt > 1 || file.generation > 1;
    return succeeded && mayBeListed ? [{ kind: "clear", fileId }] : [];
  }
  if (!settled.applied) return [];
  const failed = settled.status === "failed";
  return [
    {
      kind: "set",
      fileId,
      reason: failed ? (result.kind === "refused" ? "refused" : "gave_up") : "deferred",
      responseStatus: result.kind === "not_posted" ? null : result.responseStatus,
      attempts: settled.attempts,
      nextAttemptAt: settled.nextAttemptAt,
      facts: file.facts,
    },
  ];
}
