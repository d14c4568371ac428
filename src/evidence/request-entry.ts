/** A request at an intake for reports, as evidence keeps it and the portal shows it: metadata only, never a body or a credential. */

export const OUTCOMES = ["accepted", "duplicate", "refused"] as const;
export type RequestOutcome = (typeof OUTCOMES)[number];

/** The usual mistakes of senders. The last four are about the timestamp, the others about the signature: several may fit; `unknown`: none does. */
export const DIAGNOSES = [
  "body_without_timestamp",
  "timestamp_in_seconds",
  "newline_after_body",
  "newline_after_secret",
  "crlf",
  "json_printed_anew",
  "prefixed",
  "base64",
  "dashed",
  "ended_secret",
  "secret_without_prefix",
  "secret_decoded",
  "other_connection",
  "unknown",
  "clock_ahead",
  "clock_behind",
  "seconds",
  "not_a_number",
] as const;
export type Diagnosis = (typeof DIAGNOSES)[number];

/** Kept for every request, whatever its outcome. All texts are bounded and printable ASCII. */
export interface CallerFacts {
  callerRequestId: string | null;
  /** The media type alone. */
  contentType: string | null;
  /** The first product of the user agent, such as `curl/8.9.1`. */
  userAgent: string | null;
  /** Two letters, determined by the platform. */
  country: string | null;
  /** The sender's timestamp minus the server's clock. Null without a usable timestamp. */
  clockSkewMs: number | null;
}

export interface RequestEntry extends CallerFacts {
  requestId: string;
  /** When it arrived, ms. */
  at: number;
  outcome: RequestOutcome;
  /** The HTTP status. */
  status: number;
  /** The code in the response; null for an accepted request. */
  code: string | null;
  /** Empty if the request was not examined. */
  diagnosis: Diagnosis[];
  /** The body's size; null if it was not read. */
  bytes: number | null;
  fileId: string | null;
  /** From its arrival to its response. */
  ms: number | null;
}

/** The requests of one gate or request log that an isolate gathered: exact counts, and some of the requests in detail. */
export interface Note {
  /** The same when the note is repeated, so that a note whose confirmation was lost counts once. */
  id: string;
  /** Per minute (Unix minutes) and code; a duplicate's code is `DUPLICATE`. */
  counts: { minute: number; code: string; n: number }[];
  samples: RequestEntry[];
}
