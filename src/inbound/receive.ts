/**
 * The inbound door: one linear pipeline from a signed request to its admission, in the order of the error table.
 *
 * Warm, the only binding call awaited is the gate's `admit`. Whatever is refused because of a cached or replicated row is
 * judged a second time on the row that D1's primary holds; nothing is refused twice for the same reason on old data.
 */
import type { Bytes } from "../crypto/encoding.ts";
import { utf8 } from "../crypto/encoding.ts";
import { fingerprint } from "../crypto/vault.ts";
import type { Bindings, Settings } from "../env.ts";
import { gateName } from "../gate/file-id.ts";
import type { FileFacts, FileStatus } from "../gate/protocol.ts";
import type { Standing } from "../gate/rate-window.ts";
import type { Failure } from "../http/failure.ts";
import { logError } from "../log.ts";
import { admitReport } from "./admit.ts";
import { BODY_TIMEOUT_MS, readBody } from "./body.ts";
import type { BodyBudget } from "./body-budget.ts";
import type { ConnectionDirectory, KnownConnection } from "./directory.ts";
import { namedEmployer, namesOnlyBound, type Resolution, resolveBound, resolveGranted } from "./employer.ts";
import { checkHeaders, contentTypeOf, idempotencyKey, preferredWait, type SignedRequest } from "./headers.ts";
import { type Inspected, inspectBody } from "./inspect.ts";
import { type FieldProblems, firstProblems } from "./payroll.ts";
import { verifySignature } from "./signature.ts";

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

/** `rate` is known from the signature's check on. `connectionId` is set once a connection was found. */
export type Received = { rate: Standing | null; connectionId: string | null } & (
  | { accepted: Accepted }
  | { failure: Failure }
);

export interface ReceiveDeps {
  env: Bindings;
  settings: Settings;
  directory: ConnectionDirectory;
  budget: BodyBudget;
}

/** A verdict on one reading of the connection's row. */
type Verdict =
  | { accepted: Accepted; rate: Standing }
  /** `revisit`: rests on the row, so it is worth a second look at the primary's. `charged`: counts for the rate. */
  | { failure: Failure; revisit: boolean; charged: boolean; rate?: Standing };

const RETRY_SOON: Failure = {
  kind: "unavailable",
  retryAfterSeconds: 1,
  reason: "The connection could not be looked up in time.",
};

export async function receive(
  connectionId: string,
  http: Request,
  requestId: string,
  deps: ReceiveDeps,
): Promise<Received> {
  const since = deps.directory.moment();
  const checked = checkHeaders(connectionId, http.headers, {
    maxBodyBytes: deps.settings.maxBodyBytes,
    now: Date.now(),
  });
  if ("failure" in checked) return { failure: checked.failure, rate: null, connectionId: null };
  const { request } = checked;

  const lookup = { db: deps.env.DB, keyRing: deps.settings.keyRing };
  const id = request.connectionId;
  const confirm = () => confirmed(() => deps.directory.confirm(id, since, lookup));
  let connection = await confirmed(() => deps.directory.find(id, lookup));
  if (connection === "busy") return { failure: RETRY_SOON, rate: null, connectionId: null };
  let closed = whyClosed(connection);
  if (closed !== null && !(connection !== null && connection.primaryAt >= since)) {
    connection = await confirm();
    if (connection === "busy") return { failure: RETRY_SOON, rate: null, connectionId: null };
    closed = whyClosed(connection);
  }
  if (closed !== null || connection === null) {
    return {
      failure: closed ?? { kind: "connection_not_found" },
      rate: null,
      connectionId: connection && id,
    };
  }

  const read = await readBody(
    http,
    request.prefix,
    deps.settings.maxBodyBytes,
    deps.budget,
    BODY_TIMEOUT_MS,
    request.declaredBytes,
  );
  if (!read.ok) return { failure: bodyFailure(read.reason, deps.settings), rate: null, connectionId: id };
  try {
    const report = new Report(request, http.headers, requestId, read, deps);
    let verdict = await report.judge(connection, since);
    if ("failure" in verdict && verdict.revisit && connection.primaryAt < since) {
      const reloaded = await confirm();
      if (reloaded === "busy") return { failure: RETRY_SOON, rate: null, connectionId: id };
      const nowClosed = whyClosed(reloaded);
      if (nowClosed !== null || reloaded === null) {
        return { failure: nowClosed ?? { kind: "connection_not_found" }, rate: null, connectionId: id };
      }
      connection = reloaded;
      verdict = await report.judge(connection, since);
    }
    if ("accepted" in verdict) return { accepted: verdict.accepted, rate: verdict.rate, connectionId: id };
    const rate = verdict.charged ? await charge(connection, deps.env) : (verdict.rate ?? null);
    return { failure: verdict.failure, rate, connectionId: id };
  } finally {
    read.release();
  }
}

/** Steps 6 to 8. */
function whyClosed(connection: KnownConnection | null): Failure | null {
  if (connection === null) return { kind: "connection_not_found" };
  if (connection.row.type !== "webhook") return { kind: "not_a_webhook" };
  return connection.row.status === "active" ? null : { kind: "connection_inactive" };
}

function bodyFailure(reason: "too_large" | "timeout" | "aborted", { maxBodyBytes }: Settings): Failure {
  if (reason === "too_large") return { kind: "payload_too_large", limitBytes: maxBodyBytes };
  return { kind: "unavailable", retryAfterSeconds: 1, reason: "The body did not arrive within 30 seconds." };
}

/** Steps 9 to 13 for one request. What does not depend on the connection's row is worked out once. */
class Report {
  readonly #request: SignedRequest;
  readonly #headers: Headers;
  readonly #requestId: string;
  readonly #bytes: { signed: Bytes; body: Bytes };
  readonly #deps: ReceiveDeps;
  #inspected: ReturnType<typeof inspectBody> | null = null;

  constructor(
    request: SignedRequest,
    headers: Headers,
    requestId: string,
    bytes: { signed: Bytes; body: Bytes },
    deps: ReceiveDeps,
  ) {
    this.#request = request;
    this.#headers = headers;
    this.#requestId = requestId;
    this.#bytes = bytes;
    this.#deps = deps;
  }

  async judge(connection: KnownConnection, since: number): Promise<Verdict> {
    const { signature, timestampMs } = this.#request;
    const now = Date.now();
    const keys = connection.secrets
      .filter((secret) => secret.expiresAt === null || secret.expiresAt > now)
      .map((secret) => secret.key);
    if (signature === null || !(await verifySignature(keys, signature, this.#bytes.signed))) {
      return { failure: { kind: "invalid_signature" }, revisit: signature !== null, charged: false };
    }

    this.#inspected ??= inspectBody(this.#bytes.body);
    if ("failure" in this.#inspected)
      return { failure: this.#inspected.failure, revisit: false, charged: true };

    const employer = await this.#resolveEmployer(connection, this.#inspected, since);
    if ("failure" in employer) return employer;
    const key = idempotencyKey(this.#headers);
    if ("failure" in key) return { failure: key.failure, revisit: false, charged: true };

    const facts: FileFacts = {
      kind: "payroll_report",
      employerId: employer.employerId,
      environment: connection.row.environment,
      contentType: contentTypeOf(this.#headers),
      requestId: this.#requestId,
      size: this.#bytes.body.byteLength,
      receivedAt: now,
    };
    const admitted = await admitReport(
      connection,
      {
        facts,
        signed: { signature, timestampMs },
        body: this.#bytes.body,
        keyMac: key.key === null ? null : await fingerprint(connection.dataKey, utf8(`key:${key.key}`)),
        sameBody: connection.row.same_body,
      },
      this.#deps.env,
    );
    if ("failure" in admitted) return { ...admitted, charged: false };
    const { fileId, status, duplicate, ready, sameBodyAs, rate } = admitted;
    if (status === "failed")
      return { failure: { kind: "processing_failed", fileId }, revisit: false, charged: false, rate };
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
        waitSeconds: preferredWait(this.#headers, connection.row.default_wait_seconds),
      },
    };
  }

  /** Step 12. */
  async #resolveEmployer(
    connection: KnownConnection,
    inspected: Inspected,
    since: number,
  ): Promise<Exclude<Resolution, { reason: string }> | Extract<Verdict, { failure: Failure }>> {
    const named = namedEmployer(inspected.employerFein, inspected.employerId);
    const { employer_id: boundId, employer_fein: boundFein } = connection.row;
    if (boundId !== null && namesOnlyBound(named, { id: boundId, fein: boundFein })) {
      return { employerId: boundId, warnings: named.warnings };
    }
    const nobody = named.fein === null && named.id === null;
    let resolution: Resolution;
    try {
      const known = nobody
        ? []
        : await this.#deps.directory.employers(connection, named, this.#deps.env.DB, since);
      resolution = boundId === null ? resolveGranted(named, known) : resolveBound(named, boundId, known);
    } catch (error) {
      logError("employer lookup failed", { connection_id: connection.row.id }, error);
      const reason = "The employer could not be looked up.";
      return {
        failure: { kind: "unavailable", retryAfterSeconds: 5, reason },
        revisit: false,
        charged: false,
      };
    }
    if ("employerId" in resolution) return resolution;
    return {
      failure: { kind: "employer_unresolved", reason: resolution.reason },
      revisit: true,
      charged: true,
    };
  }
}

/** Counts a signed request that was refused. Its answer does not depend on the gate's being there. */
async function charge(connection: KnownConnection, env: Bindings): Promise<Standing | null> {
  try {
    const charged = await env.CONNECTION_GATE.getByName(gateName(connection.gate)).charge(
      connection.snapshot,
    );
    return charged.outcome === "charged" ? charged.rate : null;
  } catch (error) {
    logError("a refused request was not counted", { connection_id: connection.row.id }, error);
    return null;
  }
}

/** D1 away and nothing cached: not known, so the sender repeats. */
async function confirmed<T>(look: () => Promise<T>): Promise<T | "busy"> {
  try {
    return await look();
  } catch (error) {
    logError("connection lookup failed", {}, error);
    return "busy";
  }
}
