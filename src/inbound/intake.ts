/** An intake is an endpoint that receives reports: the signed webhook, and the two endpoints for API keys. */

import type { Bindings } from "../bindings.ts";
import type { Bytes } from "../crypto/encoding.ts";
import type { Settings } from "../env.ts";
import type { Diagnosis } from "../evidence/request-entry.ts";
import type { Admission, FileKind, FileStatus } from "../gate/protocol.ts";
import type { ReadBody } from "../http/body.ts";
import type { BodyBudget } from "../http/body-budget.ts";
import type { Failure } from "../http/failure.ts";
import type { RateStatus } from "../model.ts";
import type { Result } from "../result.ts";
import type { LookupAccount } from "./abuse-limiter.ts";
import type { FieldProblems } from "./field-rules.ts";
import type { ReportSender, SenderCache } from "./sender-cache.ts";
import type { ValidBody } from "./validate-body.ts";

/** How one endpoint receives reports, for a request whose headers it has checked. */
export interface Intake<S extends ReportSender> {
  kind: FileKind;
  senders: SenderCache<S>;
  /** What the request identifies its sender by. */
  senderName: string;
  /** The signature covers it before the body. */
  prefix: Bytes;
  signed: Admission["signed"];
  unknownSender: Failure;
  /** Why this sender may not send reports; null if it may. */
  refusalFor(sender: S): Failure | null;
  /** Why `signed`, the prefix and the body, is not from the sender; null if it is. */
  verify(sender: S, signed: Bytes): Promise<Unverified | null>;
  validate(body: Bytes): Result<ValidBody, Failure>;
  /**
   * Examines, after the response, why a refused request did not verify. It holds the body meanwhile, releases it, and never
   * rejects. Null if the request is not examined; then the caller releases the body.
   */
  examine?(received: Received<S>, body: ReadBody, deps: ReceiveDeps): Promise<Diagnosis[]> | null;
}

/** `restsOnRow`: a newer row may verify the request. */
export interface Unverified {
  failure: Failure;
  restsOnRow: boolean;
}

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

export interface Received<S> {
  outcome: Result<Accepted, Failure>;
  /** Null if the sender is not verified, or its gate could not be asked. */
  rate: RateStatus | null;
  /** Null if none was found. */
  sender: S | null;
  /** The body's size. Absent if it was not read. */
  bytes?: number;
  /** Settles after the response, and never rejects. Absent for a request that is not examined. */
  diagnosis?: Promise<Diagnosis[]>;
}

/** What receiving needs beside the intake and the request. */
export interface ReceiveDeps {
  env: Bindings;
  settings: Settings;
  budget: BodyBudget;
  account: LookupAccount;
  /** Keeps work running after the response. */
  waitUntil(work: Promise<unknown>): void;
}
