/**
 * The way of a report through any door: one linear pipeline from its request to its admission.
 *
 * Warm, the only binding call awaited is the gate's `admit`. Whatever is refused because of a cached or replicated row is
 * judged a second time on the row that D1's primary holds; nothing is refused twice for the same reason on old data.
 */
import { type Bytes, utf8 } from "../crypto/encoding.ts";
import { fingerprint, RingKeyMissing, SealBroken } from "../crypto/vault.ts";
import { isOutage } from "../deadline.ts";
import type { Bindings, Settings } from "../env.ts";
import type { Admission, FileFacts, FileKind, FileStatus } from "../gate/protocol.ts";
import type { RateStatus } from "../gate/rate-window.ts";
import { BODY_TIMEOUT_MS, bodyFailure, readBody } from "../http/body.ts";
import type { BodyBudget } from "../http/body-budget.ts";
import type { Failure } from "../http/failure.ts";
import { idempotencyKey } from "../http/idempotency-key.ts";
import { callerRequestId } from "../http/request-id.ts";
import { logError } from "../log.ts";
import { gateName } from "../model.ts";
import type { LookUps } from "./abuse-limiter.ts";
import { admitReport } from "./admit-report.ts";
import { type FieldProblems, firstProblems } from "./field-rules.ts";
import { contentTypeFact, declaredBytes, preferredWait } from "./headers.ts";
import {
  GRANT_WITHDRAWN,
  namedEmployer,
  namesOnlyBound,
  type Resolution,
  resolveBound,
  resolveGranted,
} from "./resolve-employer.ts";
import type { Directory, Known, Looked, ReportSender } from "./sender-cache.ts";
import type { Inspected } from "./validate-body.ts";

/** What one door demands of a request whose headers it has checked. */
export interface Door<S extends ReportSender> {
  kind: FileKind;
  directory: Directory<S>;
  /** What the directory knows the sender by. */
  name: string;
  /** Goes before the body, in one piece with it. */
  prefix: Bytes;
  signed: Admission["signed"];
  /** Why the sender is not let in; null when it is. */
  whyClosed(sender: S | null): Failure | null;
  /** Why `signed`, the prefix and the body, is not from the sender; null when it is. */
  verify(sender: S, signed: Bytes): Promise<Unverified | null>;
  inspect(body: Bytes): Inspected | { failure: Failure };
}

/** `revisit`: another reading of the row may know better. */
export type Unverified = { failure: Failure; revisit: boolean };

export interface Accepted {
  fileId: string;
  status: FileStatus;
  duplicate: boolean;
  /** Whether this request made the file ready to be forwarded. */
  ready: boolean;
  employerId: string;
  receivedAt: number;
  warnings: FieldProblems;
  waitSeconds: number;
}

/** `rate` is known once the sender is. `sender` is set once one was found. */
export type Received<S> = { rate: RateStatus | null; sender: S | null } & (
  | { accepted: Accepted }
  | { failure: Failure }
);

export interface ReceiveDeps {
  env: Bindings;
  settings: Settings;
  budget: BodyBudget;
  /** The request's own. */
  lookUps: LookUps;
  /** Keeps work going beside the answer. */
  waitUntil(work: Promise<unknown>): void;
}

/** A verdict on one reading of the sender's row. */
type Verdict =
  | { accepted: Accepted; rate: RateStatus }
  /**
   * `revisit`: rests on the row, so it is worth a second look at the primary's. `charged`: counts for the rate. `verified`:
   * the sender has proved who he is.
   */
  | { failure: Failure; revisit: boolean; charged: boolean; verified: boolean; rate?: RateStatus };

const RETRY_SOON: Failure = {
  kind: "unavailable",
  retryAfterSeconds: 1,
  reason: "The sender could not be looked up in time.",
};

export async function receive<S extends ReportSender>(
  door: Door<S>,
  http: Request,
  requestId: string,
  deps: ReceiveDeps,
): Promise<Received<S>> {
  const { directory, name } = door;
  const since = directory.moment();
  const { lookUps } = deps;
  const lookup = { db: deps.env.DB, keyRing: deps.settings.keyRing };
  const confirm = (on: LookUps | null) => lookedUp(() => directory.confirm(name, since, lookup, on));
  const looked = await lookedUp(() => directory.find(name, since, lookup, lookUps));
  let admissible: Admissible<S> = admit(door, looked);
  if ("refused" in admissible && !("found" in looked && (looked.found?.primaryAt ?? 0) >= since))
    admissible = admit(door, await confirm(lookUps));
  if ("failure" in admissible) return refused(admissible, lookUps);

  const { maxBodyBytes } = deps.settings;
  const declared = declaredBytes(http.headers);
  const read = await readBody(http, door.prefix, maxBodyBytes, deps.budget, BODY_TIMEOUT_MS, declared);
  if (!read.ok) {
    const failure = bodyFailure(read.reason, maxBodyBytes);
    return { failure, rate: null, sender: admissible.known.sender };
  }
  try {
    const report = new Report(door, http.headers, requestId, read, deps);
    for (;;) {
      const known: Known<S> = admissible.known;
      const { sender } = known;
      const verdict = await report.judge(known, since);
      if ("accepted" in verdict) return { ...verdict, sender };
      const newest = known.primaryAt >= since;
      let revisit = verdict.revisit && !newest;
      let rate = verdict.rate ?? null;
      if (verdict.charged && !revisit) {
        const charged = await charge(sender, deps.env);
        if (charged === "stale") revisit = !newest;
        else rate = charged;
      }
      if (!revisit) {
        if (!verdict.verified) lookUps.refused();
        return { failure: verdict.failure, rate, sender };
      }
      admissible = admit(door, await confirm(verdict.verified ? null : lookUps), sender);
      if ("failure" in admissible) return refused(admissible, lookUps);
    }
  } finally {
    read.release();
  }
}

type Admissible<S extends ReportSender> =
  | { known: Known<S> }
  | { failure: Failure; sender: S | null }
  /** `refused`: for what was found, which is not to be had by repeating. */
  | { failure: Failure; sender: S | null; refused: true };

/** Lets a sender in, or says why not. `before` is who it was taken for. */
function admit<S extends ReportSender>(
  door: Door<S>,
  looked: Looked<S>,
  before: S | null = null,
): Admissible<S> {
  if ("failure" in looked) return { failure: looked.failure, sender: before };
  const known = looked.found;
  const failure = door.whyClosed(known?.sender ?? null);
  if (failure === null && known !== null) return { known };
  return { failure: failure ?? RETRY_SOON, sender: known?.sender ?? before, refused: true };
}

function refused<S extends ReportSender>(
  { failure, sender, ...rest }: Exclude<Admissible<S>, { known: Known<S> }>,
  lookUps: LookUps,
): Received<S> {
  if ("refused" in rest) lookUps.refused();
  return { failure, sender, rate: null };
}

/** One request whose body is there. What does not depend on the sender's row is worked out once. */
class Report<S extends ReportSender> {
  readonly #door: Door<S>;
  readonly #headers: Headers;
  readonly #requestId: string;
  readonly #bytes: { signed: Bytes; body: Bytes };
  readonly #deps: ReceiveDeps;
  #inspected: Inspected | { failure: Failure } | null = null;

  constructor(
    door: Door<S>,
    headers: Headers,
    requestId: string,
    bytes: { signed: Bytes; body: Bytes },
    deps: ReceiveDeps,
  ) {
    this.#door = door;
    this.#headers = headers;
    this.#requestId = requestId;
    this.#bytes = bytes;
    this.#deps = deps;
  }

  async judge(known: Known<S>, since: number): Promise<Verdict> {
    const { sender } = known;
    const now = Date.now();
    const unverified = await this.#door.verify(sender, this.#bytes.signed);
    if (unverified !== null) return { ...unverified, charged: false, verified: false };

    this.#inspected ??= this.#door.inspect(this.#bytes.body);
    if ("failure" in this.#inspected)
      return { failure: this.#inspected.failure, revisit: false, charged: true, verified: true };

    const employer = await this.#resolveEmployer(known, this.#inspected, since);
    if ("failure" in employer) return employer;
    const key = idempotencyKey(this.#headers);
    if ("failure" in key) return { failure: key.failure, revisit: false, charged: true, verified: true };

    const callersId = callerRequestId(this.#headers);
    const facts: FileFacts = {
      kind: this.#door.kind,
      employerId: employer.employerId,
      environment: sender.snapshot.environment,
      ...contentTypeFact(this.#headers),
      requestId: this.#requestId,
      ...(callersId !== null && { callerRequestId: callersId }),
      size: this.#bytes.body.byteLength,
      receivedAt: now,
    };
    const admitted = await admitReport(
      sender,
      {
        facts,
        signed: this.#door.signed,
        body: this.#bytes.body,
        keyMac: key.key === null ? null : await fingerprint(sender.dataKey, utf8(`key:${key.key}`)),
        sameBody: sender.sameBody,
      },
      this.#deps,
    );
    if ("failure" in admitted) return { ...admitted, charged: false, verified: true };
    const { fileId, status, duplicate, ready, sameBodyAs, rate } = admitted;
    if (status === "failed")
      return {
        failure: { kind: "processing_failed", fileId },
        revisit: false,
        charged: false,
        verified: true,
        rate,
      };
    const sameBody: FieldProblems =
      sameBodyAs === undefined ? {} : { body: `Identical to ${sameBodyAs}, received within the last hour` };
    const warnings = firstProblems({ ...sameBody, ...employer.warnings, ...this.#inspected.warnings });
    return {
      rate,
      accepted: {
        fileId,
        status,
        duplicate,
        ready,
        employerId: admitted.employerId,
        receivedAt: admitted.receivedAt,
        warnings,
        waitSeconds: preferredWait(this.#headers, sender.waitSeconds),
      },
    };
  }

  async #resolveEmployer(
    known: Known<S>,
    inspected: Inspected,
    since: number,
  ): Promise<Exclude<Resolution, { reason: string }> | Extract<Verdict, { failure: Failure }>> {
    const named = namedEmployer(inspected.employerFein, inspected.employerId);
    const { gate, employer: bound } = known.sender;
    if (bound?.granted === false) return unresolved(GRANT_WITHDRAWN);
    if (bound !== null && namesOnlyBound(named, bound))
      return { employerId: bound.id, warnings: named.warnings };
    const nobody = named.fein === null && named.id === null;
    let resolution: Resolution;
    try {
      const matches = nobody
        ? []
        : await this.#door.directory.employers(known, named, this.#deps.env.DB, since);
      resolution =
        bound === null ? resolveGranted(named, matches, gate.kind) : resolveBound(named, bound.id, matches);
    } catch (error) {
      if (!isOutage(error)) throw error;
      logError("employer lookup failed", { gate: gateName(gate) }, error);
      const reason = "The employer could not be looked up.";
      return {
        failure: { kind: "unavailable", retryAfterSeconds: 5, reason },
        revisit: false,
        charged: false,
        verified: true,
      };
    }
    return "employerId" in resolution ? resolution : unresolved(resolution.reason);
  }
}

function unresolved(reason: string): Extract<Verdict, { failure: Failure }> {
  return { failure: { kind: "employer_unresolved", reason }, revisit: true, charged: true, verified: true };
}

/**
 * Counts a verified request that was refused; null when the gate could not be asked, on which the answer does not depend.
 * `"stale"`: the gate knows a newer row, so that the refusal may not be the right one.
 */
async function charge({ gate, snapshot }: ReportSender, env: Bindings): Promise<RateStatus | null | "stale"> {
  try {
    const charged = await env.CONNECTION_GATE.getByName(gateName(gate)).charge(snapshot);
    return charged.outcome === "charged" ? charged.rate : "stale";
  } catch (error) {
    logError("a refused request was not counted", { gate: gateName(gate) }, error);
    return null;
  }
}

/**
 * D1 away and nothing cached, or a row that does not open, for want of a ring key or because it was tampered with: operators
 * can mend it, so the caller repeats. Rejects for a bug.
 */
async function lookedUp<S extends ReportSender>(look: () => Promise<Looked<S>>): Promise<Looked<S>> {
  try {
    return await look();
  } catch (error) {
    if (!(error instanceof SealBroken) && !isOutage(error)) throw error;
    const fields = error instanceof RingKeyMissing ? { ring_key: error.ringKey } : {};
    logError("sender lookup failed", fields, error);
    return { failure: RETRY_SOON };
  }
}
