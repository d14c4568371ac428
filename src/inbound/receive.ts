/**
 * How a report is received, at either intake. The intake has checked its headers (`headers.ts`). The remaining checks,
 * in order: sender, body, signature, JSON, employer, idempotency key, admission by the sender's gate.
 *
 * Rows of senders are cached, so a refusal may rest on an outdated row. A request is therefore judged at most twice: on the
 * cached row, and, if the refusal rests on that row, again on the row that D1's primary has now. No refusal is final on an
 * outdated row.
 *
 * When the sender is cached, the only binding call that is awaited is the gate's `admit`.
 */

import type { Bindings } from "../bindings.ts";
import { type Bytes, utf8 } from "../crypto/encoding.ts";
import { fingerprint } from "../crypto/vault.ts";
import { countryOf, userAgentProduct } from "../evidence/caller-facts.ts";
import type { FileFacts } from "../gate/protocol.ts";
import { BODY_TIMEOUT_MS, bodyFailure, type ReadBody, readBody } from "../http/body.ts";
import type { Failure } from "../http/failure.ts";
import { idempotencyKey } from "../http/idempotency-key.ts";
import { callerRequestId } from "../http/request-id.ts";
import { logError } from "../log.ts";
import { gateName, type RateStatus } from "../model.ts";
import { raiseRingKeyMissing } from "../raised-conditions.ts";
import { err, ok, type Result } from "../result.ts";
import type { LookupAccount } from "./abuse-limiter.ts";
import { type FieldProblems, firstProblems } from "./field-rules.ts";
import { contentTypeFact, declaredBytes, preferredWait } from "./headers.ts";
import type { Accepted, Intake, ReceiveDeps, Received, Unverified } from "./intake.ts";
import { keptWarnings, sameBodyWarning } from "./kept-warnings.ts";
import { resolveEmployer } from "./resolve-employer.ts";
import type { CachedSender, ReportSender } from "./sender-cache.ts";
import { checkSender, findSender, type TurnedAway } from "./sender-check.ts";
import { SenderLookup } from "./sender-lookup.ts";
import { submitReport } from "./submit-report.ts";
import type { ValidBody } from "./validate-body.ts";

/** A refusal by one judgement, on one reading of the sender's row. */
interface Refusal extends Unverified {
  /** Whether the request proved its sender. */
  verified: boolean;
  /** Whether it counts towards the sender's rate limit. */
  counts: boolean;
  rate: RateStatus | null;
}

export async function receive<S extends ReportSender>(
  intake: Intake<S>,
  http: Request,
  requestId: string,
  deps: ReceiveDeps,
): Promise<Received<S>> {
  const startedAt = Date.now();
  const { env, settings, account } = deps;
  const { maxBodyBytes } = settings;
  const reading = {
    db: env.DB,
    keyRing: settings.keyRing,
    missesRingKey: (ringKey: string) => deps.waitUntil(raiseRingKeyMissing(env, ringKey)),
  };
  const lookup = new SenderLookup(intake.senders, intake.senderName, reading, account);

  const found = await findSender(intake, lookup);
  if (!found.ok) return turnAway(found.error, account);

  const declared = declaredBytes(http.headers);
  const read = await readBody(http, intake.prefix, maxBodyBytes, deps.budget, BODY_TIMEOUT_MS, declared);
  if (!read.ok) {
    const failure = bodyFailure(read.error, maxBodyBytes);
    return { outcome: err(failure), rate: null, sender: found.value.sender };
  }
  let held: ReadBody | null = read.value;
  try {
    const request = new ReportRequest(intake, http.headers, requestId, held, deps, lookup, startedAt);
    const received = await judgeTwice(intake, request, found.value, deps, lookup);
    received.bytes = read.value.body.byteLength;
    const diagnosis = received.outcome.ok ? null : (intake.examine?.(received, held, deps) ?? null);
    if (diagnosis === null) return received;
    held = null;
    return { ...received, diagnosis };
  } finally {
    held?.release();
  }
}

async function judgeTwice<S extends ReportSender>(
  intake: Intake<S>,
  request: ReportRequest<S>,
  found: CachedSender<S>,
  deps: ReceiveDeps,
  lookup: SenderLookup<S>,
): Promise<Received<S>> {
  // The first pass: on the row at hand.
  const { sender } = found;
  const confirmed = lookup.isConfirmed(found);
  const first = await request.judge(found);
  if (first.ok) return accept(first.value, sender);
  if (confirmed || !first.error.restsOnRow) {
    const { received, isStale } = await refuse(first.error, sender, deps);
    if (confirmed || !isStale) return received;
  }

  // The second pass: on the row as the primary has it now.
  const { verified } = first.error;
  const newest = checkSender(intake, await lookup.confirmOnPrimary({ verified }), sender);
  if (!newest.ok) return turnAway(newest.error, deps.account);
  const second = await request.judge(newest.value);
  if (second.ok) return accept(second.value, newest.value.sender);
  return (await refuse(second.error, newest.value.sender, deps)).received;
}

/** A request whose body was read. What does not depend on the sender's row is worked out once. */
class ReportRequest<S extends ReportSender> {
  readonly #intake: Intake<S>;
  readonly #headers: Headers;
  readonly #requestId: string;
  readonly #bytes: { signed: Bytes; body: Bytes };
  readonly #deps: ReceiveDeps;
  readonly #lookup: SenderLookup<S>;
  readonly #startedAt: number;
  #validated: Result<ValidBody, Failure> | null = null;

  constructor(
    intake: Intake<S>,
    headers: Headers,
    requestId: string,
    bytes: { signed: Bytes; body: Bytes },
    deps: ReceiveDeps,
    lookup: SenderLookup<S>,
    startedAt: number,
  ) {
    this.#startedAt = startedAt;
    this.#intake = intake;
    this.#headers = headers;
    this.#requestId = requestId;
    this.#bytes = bytes;
    this.#deps = deps;
    this.#lookup = lookup;
  }

  async judge(cached: CachedSender<S>): Promise<Result<{ accepted: Accepted; rate: RateStatus }, Refusal>> {
    const { sender } = cached;
    const receivedAt = Date.now();

    const unverified = await this.#intake.verify(sender, this.#bytes.signed);
    if (unverified !== null) return err({ ...unverified, verified: false, counts: false, rate: null });

    this.#validated ??= this.#intake.validate(this.#bytes.body);
    if (!this.#validated.ok) return counted(this.#validated.error);

    const employer = await resolveEmployer(cached, this.#validated.value, this.#lookup);
    if (!employer.ok) return notResolved(employer.error);

    const key = idempotencyKey(this.#headers);
    if (!key.ok) return counted(key.error);
    const warnings = { ...employer.value.warnings, ...this.#validated.value.warnings };

    const submitted = await submitReport(
      sender,
      {
        facts: this.#facts(sender, employer.value.employerId, receivedAt, warnings),
        signed: this.#intake.signed,
        body: this.#bytes.body,
        keyMac: key.value === null ? null : await fingerprint(sender.dataKey, utf8(`key:${key.value}`)),
      },
      this.#deps,
    );
    if (!submitted.ok) {
      const { failure, isStale, rate } = submitted.error;
      return err({ failure, restsOnRow: isStale, verified: true, counts: false, rate });
    }
    const { rate, sameBodyAs, ...file } = submitted.value;
    if (file.status === "failed") return uncounted({ kind: "processing_failed", fileId: file.fileId }, rate);

    const sameBody = sameBodyAs === undefined ? {} : sameBodyWarning(sameBodyAs);
    return ok({
      rate,
      accepted: {
        ...file,
        warnings: firstProblems({ ...sameBody, ...warnings }),
        waitSeconds: preferredWait(this.#headers, sender.waitSeconds),
      },
    });
  }

  #facts({ snapshot }: S, employerId: string, receivedAt: number, told: FieldProblems): FileFacts {
    const callersId = callerRequestId(this.#headers);
    const warnings = keptWarnings(told);
    return {
      kind: this.#intake.kind,
      employerId,
      environment: snapshot.environment,
      ...contentTypeFact(this.#headers),
      requestId: this.#requestId,
      ...(callersId !== null && { callerRequestId: callersId }),
      size: this.#bytes.body.byteLength,
      receivedAt,
      ...(warnings && { warnings }),
      ...callerOf(this.#headers, this.#intake.signed?.timestampMs ?? null, this.#startedAt),
    };
  }
}

/** How the request came, as its file's row keeps it. */
function callerOf(headers: Headers, timestampMs: number | null, startedAt: number): Partial<FileFacts> {
  const userAgent = userAgentProduct(headers);
  const country = countryOf(headers);
  return {
    ...(userAgent !== null && { userAgent }),
    ...(country !== null && { country }),
    ...(timestampMs !== null && { skewMs: timestampMs - startedAt }),
  };
}

/** A verified request that is refused for its content. */
function counted(failure: Failure): Result<never, Refusal> {
  return err({ failure, restsOnRow: false, verified: true, counts: true, rate: null });
}

function notResolved(failure: Failure): Result<never, Refusal> {
  if (failure.kind !== "employer_unresolved") return uncounted(failure);
  return err({ failure, restsOnRow: true, verified: true, counts: true, rate: null });
}

function uncounted(failure: Failure, rate: RateStatus | null = null): Result<never, Refusal> {
  return err({ failure, restsOnRow: false, verified: true, counts: false, rate });
}

function accept<S>({ accepted, rate }: { accepted: Accepted; rate: RateStatus }, sender: S): Received<S> {
  return { outcome: ok(accepted), rate, sender };
}

/** `isStale`: the gate knows a newer row, so that the refusal may be wrong. */
async function refuse<S extends ReportSender>(
  refusal: Refusal,
  sender: S,
  { env, account }: ReceiveDeps,
): Promise<{ received: Received<S>; isStale: boolean }> {
  if (!refusal.verified) account.chargeRefusal();
  const charged = refusal.counts ? await charge(sender, env) : ok(refusal.rate);
  const rate = charged.ok ? charged.value : null;
  return { received: { outcome: err(refusal.failure), rate, sender }, isStale: !charged.ok };
}

function turnAway<S>({ failure, sender, isRefusal }: TurnedAway<S>, account: LookupAccount): Received<S> {
  if (isRefusal) account.chargeRefusal();
  return { outcome: err(failure), rate: null, sender };
}

/**
 * Counts a verified request that is refused. Null if the gate cannot be reached: the refusal does not depend on it. Fails
 * with `stale` when the gate knows a newer row.
 */
async function charge(
  { gate, snapshot }: ReportSender,
  env: Bindings,
): Promise<Result<RateStatus | null, "stale">> {
  try {
    const charged = await env.CONNECTION_GATE.getByName(gateName(gate)).charge(snapshot);
    return charged.outcome === "charged" ? ok(charged.rate) : err("stale");
  } catch (error) {
    logError("failed to count a refused request", { gate: gateName(gate) }, error);
    return ok(null);
  }
}
