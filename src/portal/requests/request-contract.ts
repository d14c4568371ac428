/** The contracts of `GET /connections/{id}/requests`, `GET /api-keys/{id}/requests` and `GET /requests`. */
import * as z from "zod";
import { answer, once } from "../../contract/answer.ts";
import { EXAMPLE, like } from "../../contract/examples.ts";
import { fileId, moment, nextCursor } from "../../contract/fields.ts";
import { DIAGNOSES, type Diagnosis, OUTCOMES } from "../../evidence/request-entry.ts";
import { pageFields } from "../../http/page.ts";
import { timeParameter } from "../../http/time-parameter.ts";
import { portalContracts } from "../portal-contract.ts";

export const REQUEST_LIST = "requests";

const filters = {
  outcome: z.enum(OUTCOMES, { error: `Must be one of ${OUTCOMES.join(", ")}` }).optional(),
  code: z
    .string()
    .regex(/^[A-Z_]{1,64}$/, "Must be the code of an error, such as INVALID_SIGNATURE")
    .optional()
    .meta({
      description:
        "As in `counts`: the `code` of the error that was returned, `DUPLICATE` for repeats, or `ACCEPTED`.",
    }),
  since: timeParameter.optional().meta({ description: "Inclusive. By default, 30 days ago." }),
  until: timeParameter.optional().meta({ description: "Exclusive." }),
  ...pageFields(REQUEST_LIST, z.tuple([z.number(), z.string().max(64)])),
};
export const requestQuery = z.strictObject(filters);
const unknownQuery = z.strictObject({
  unknown: z
    .literal("true", { error: "Must be true: requests of a connection or key are listed below it" })
    .meta({ description: "Requests for connections and keys that do not exist." }),
  ...filters,
});

/** What each value of `diagnosis` says about the sender. */
const MEANINGS: Record<Diagnosis, string> = {
  body_without_timestamp: "signed the body alone",
  timestamp_in_seconds: "signed the timestamp in seconds",
  newline_after_body: "signed a newline that was not sent, or the reverse",
  newline_after_secret: "used the secret with a newline at its end",
  crlf: "signed LF and sent CR LF, or the reverse",
  json_printed_anew: "signed another print of the same JSON",
  prefixed: "sent text around the signature, such as `sha256=`",
  base64: "sent base64 instead of hex",
  dashed: "sent separators between the bytes",
  ended_secret: "used one of the last three ended secrets",
  secret_without_prefix: "used the secret without `whsec_`",
  secret_decoded: "decoded the secret",
  other_connection: "used the secret of another connection of the same owner",
  unknown: "made no usual mistake",
  clock_ahead: "has a clock that is ahead",
  clock_behind: "has a clock that is behind",
  seconds: "sent the timestamp in seconds",
  not_a_number: "sent a timestamp that is not an integer",
};
const EXPLAINED = DIAGNOSES.map((each) => `\`${each}\`: ${MEANINGS[each]}`).join("; ");

export const requestFields = once(() => ({
  request_id: like(z.string(), EXAMPLE.requestId),
  caller_request_id: like(
    z.string().nullable(),
    "payroll-run-2026-03-16",
    "The sender's own `X-Request-Id`.",
  ),
  at: moment(),
  outcome: like(z.enum(OUTCOMES), "refused"),
  status: like(z.int(), 401, "The HTTP status."),
  code: like(z.string().nullable(), "INVALID_SIGNATURE", "The code of the error; null if accepted."),
  diagnosis: like(
    z.array(z.enum(DIAGNOSES)),
    ["newline_after_body"],
    `The mistakes that together explain the rejection; empty if the request was not examined. The sender: ${EXPLAINED}.`,
  ),
  clock_skew_ms: like(z.int().nullable(), 120, "The sender's timestamp minus the gateway's clock."),
  bytes: like(z.int().nonnegative().nullable(), 254, "The size of the body; null if it was not read."),
  content_type: like(z.string().nullable(), "application/json"),
  user_agent: like(z.string().nullable(), "curl/8.9.1", "The first product of the user agent."),
  country: like(z.string().nullable(), "US"),
  file_id: fileId().nullable(),
  ms: like(
    z.number().nullable(),
    18,
    "The time that the request took; of an accepted one, until it was accepted: null while that is not known yet.",
  ),
}));

const entry = once(() => z.strictObject(requestFields()).meta({ id: "ReportRequest" }));
export type ShownRequest = z.infer<ReturnType<typeof entry>>;

const counts = () =>
  like(
    z.record(z.string(), z.int().nonnegative()),
    { ACCEPTED: 12, INVALID_SIGNATURE: 3 },
    "All requests between `since` and `until`, in whole minutes, by code, whether or not they are listed. `ACCEPTED` is counted up to 10000.",
  );

function page(description: string) {
  return answer(description, { requests: z.array(entry()), next_cursor: nextCursor(), counts: counts() });
}

const DESCRIPTION =
  "Lists the requests that arrived, newest first. Rejected and repeated requests are always counted. Of each minute, the first ten and the newest ten are listed, for 30 days and about a thousand in all. They appear within three seconds. A page may be short while `next_cursor` is set.";

const connectionContracts = portalContracts("Connections");
const keyContracts = portalContracts("API keys");
const operatorContracts = portalContracts("Operations");

export const listConnectionRequests = connectionContracts({ query: requestQuery }, () => ({
  id: "listConnectionRequests",
  summary: "List a connection's requests",
  description: DESCRIPTION,
  of: "connection",
  answers: { 200: page("A page of requests.") },
}));

export const listApiKeyRequests = keyContracts({ query: requestQuery }, () => ({
  id: "listApiKeyRequests",
  summary: "List the reports sent with an API key",
  description: `${DESCRIPTION} Reads with the key are not listed.`,
  of: "api_key",
  answers: { 200: page("A page of requests.") },
}));

export const listUnknownRequests = operatorContracts({ query: unknownQuery }, () => ({
  id: "listUnknownRequests",
  summary: "List requests for unknown connections and keys",
  description: `${DESCRIPTION} For clients without an owner only.`,
  answers: { 200: page("A page of requests.") },
  failures: [{ kind: "endpoint_not_found" }],
}));
