/** Why a request was refused, in words, and what its sender should change. */
import { ERRORS } from "../../http/errors.ts";
import type { ShownRequest } from "../../portal/requests/request-contract.ts";
import { Prose } from "./prose.tsx";
import { duration } from "./values.tsx";

type Diagnosis = ShownRequest["diagnosis"][number];

/** A plain sentence, and the change that the sender should make. In both, backticks mark code. */
export interface Explanation {
  what: string;
  fix: string;
}

export const DIAGNOSES: Record<Diagnosis, Explanation> = {
  body_without_timestamp: {
    what: "The body was signed without the timestamp.",
    fix: "Sign the text of `X-Webhook-Timestamp`, a dot and the body: `1774000000000.{…}`, not `{…}`.",
  },
  timestamp_in_seconds: {
    what: "The timestamp was signed in seconds and sent in milliseconds.",
    fix: "Make the timestamp once, in milliseconds. Sign that text and send the same text in `X-Webhook-Timestamp`.",
  },
  newline_after_body: {
    what: "The signed body and the sent body differ by a newline at the end.",
    fix: "Sign and send the same bytes. In a shell, use `printf %s` instead of `echo`, and `--data-binary @file` together with the bytes of the file instead of `$(cat file)`.",
  },
  newline_after_secret: {
    what: "The secret was used with a newline at its end.",
    fix: "Trim the secret after reading it from its file or variable. Write such files with `printf %s` instead of `echo`.",
  },
  crlf: {
    what: "The signed body has other line ends than the sent body: LF on one side, CR LF on the other.",
    fix: "Sign the bytes that are sent, after any conversion of line ends. Open report files in binary mode.",
  },
  json_printed_anew: {
    what: "The signature is of the same JSON, printed differently from the body that was sent.",
    fix: "Print the report to text once. Sign that text, and send the same text: give the HTTP client a string, not an object that it prints again.",
  },
  prefixed: {
    what: "The signature was sent with text around it.",
    fix: "Send only the 64 hex digits in `X-Webhook-Signature`: no `sha256=`, no scheme, no quotes, nothing else of what `openssl dgst` prints.",
  },
  base64: {
    what: "The signature was sent in base64.",
    fix: 'Encode the same 32 bytes as 64 hex digits: `digest("hex")` in Node, `hexdigest()` in Python.',
  },
  dashed: {
    what: "The signature was sent with separators between its bytes.",
    fix: "Send the 64 hex digits without dashes, colons or blanks. In .NET, use `Convert.ToHexString` instead of `BitConverter.ToString`.",
  },
  ended_secret: {
    what: "The signature was made with an earlier secret of this connection, which has ended.",
    fix: "Use the current secret. If it is lost, rotate the secret to get a new one.",
  },
  secret_without_prefix: {
    what: "The secret was used without `whsec_` at its start.",
    fix: "Use the whole text of the secret as the key, with `whsec_`.",
  },
  secret_decoded: {
    what: "The secret was decoded, as base64 or hex, before it was used.",
    fix: "Use the text of the secret as the key, exactly as it was shown. Nothing of it is encoded.",
  },
  other_connection: {
    what: "The signature was made with the secret of another connection of the same owner.",
    fix: "Use this connection's secret, or send to the address of the connection that the secret belongs to.",
  },
  unknown: {
    what: "The signature does not match, and none of the usual mistakes explains it.",
    fix: "Compare with a sample step by step. Most often the secret is another one, or something between signing and sending changed the body: a proxy, a framework that prints JSON again, a text encoding.",
  },
  clock_ahead: {
    what: "The sender's clock is ahead.",
    fix: "Set the clock of the sending machine by NTP, and check that the timestamp is UTC. At most five minutes are allowed.",
  },
  clock_behind: {
    what: "The sender's clock is behind, or the request was signed long before it was sent.",
    fix: "Set the clock of the sending machine by NTP, and sign each request just before it is sent, repeats too. At most five minutes are allowed.",
  },
  seconds: {
    what: "The timestamp is in seconds.",
    fix: "Send Unix milliseconds: 13 digits, such as `1774000000000`. Multiply seconds by 1000 before signing.",
  },
  not_a_number: {
    what: "The timestamp is not a number of milliseconds.",
    fix: "Send Unix milliseconds in digits, such as `1774000000000`: no date, no fraction, no unit, no quotes.",
  },
};

/** The errors of the intakes for reports. Evidence keeps their codes; of those that share a code, the first stands here. */
const REFUSALS = [
  ERRORS.https_required,
  ERRORS.invalid_connection_id,
  ERRORS.missing_headers,
  ERRORS.timestamp_expired,
  ERRORS.unsupported_encoding,
  ERRORS.payload_too_large,
  ERRORS.webhook_connection_not_found,
  ERRORS.not_a_webhook,
  ERRORS.connection_inactive,
  ERRORS.invalid_signature,
  ERRORS.invalid_json,
  ERRORS.invalid_fields,
  ERRORS.no_employees,
  ERRORS.employer_unresolved,
  ERRORS.invalid_idempotency_key,
  ERRORS.key_reused,
  ERRORS.rate_limited,
  ERRORS.too_many_refusals,
  ERRORS.processing_failed,
  ERRORS.acceptance_unknown,
  ERRORS.internal,
] as const;
const EXPLANATIONS: ReadonlyMap<string, Explanation> = new Map(
  REFUSALS.map(({ code, cause, fix }) => [code, { what: cause, fix }]),
);

const NOT_EXAMINED: Explanation = {
  what: "The signature does not match. Which mistake it was has not been examined.",
  fix: "Send the request once more, alone and with a body below 64 KB. The mistake is then examined and shown here.",
};

type Facts = Pick<ShownRequest, "outcome" | "code" | "diagnosis" | "clock_skew_ms">;

/** One explanation for each mistake: all of them need a change. Empty if the request was not refused. */
export function explanationsOf({ outcome, code, diagnosis, clock_skew_ms: skew }: Facts): Explanation[] {
  if (outcome !== "refused") return [];
  if (diagnosis.length > 0) return diagnosis.map((each) => ({ ...DIAGNOSES[each], ...measured(each, skew) }));
  if (code === ERRORS.invalid_signature.code) return [NOT_EXAMINED];
  const known = code === null ? undefined : EXPLANATIONS.get(code);
  return [
    known ?? {
      what: `The request was refused with the code \`${code}\`.`,
      fix: "The answer's `message` says what to change.",
    },
  ];
}

/** A timestamp that is this far ahead is in microseconds. */
const MICROSECONDS_FROM_MS = 100 * 365 * 86_400_000;

/** How far the clock is off, where that is known. */
function measured(diagnosis: Diagnosis, skewMs: number | null): Partial<Explanation> {
  if (skewMs === null) return {};
  if (diagnosis === "clock_ahead")
    return skewMs < MICROSECONDS_FROM_MS
      ? { what: `The sender's clock is ${duration(skewMs)} ahead.` }
      : {
          what: "The timestamp seems to be in microseconds.",
          fix: "Send Unix milliseconds: 13 digits. Divide microseconds by 1000 before signing.",
        };
  if (diagnosis !== "clock_behind") return {};
  return {
    what: `The sender's clock is ${duration(-skewMs)} behind, or the request was signed that long before it was sent.`,
  };
}

/** In one line, for lists: the sentences without their fixes. */
export function reasonOf(request: Facts): string {
  return explanationsOf(request)
    .map(({ what }) => what)
    .join(" ");
}

/** Each mistake and its fix. Shows nothing for a request that was not refused. */
export function Reasons({ request }: { request: Facts }) {
  const explanations = explanationsOf(request);
  if (explanations.length === 0) return null;
  return (
    <div class="reasons">
      {explanations.length > 1 && (
        <p>{explanations.length} mistakes together explain it. Each needs a change.</p>
      )}
      {explanations.map(({ what, fix }) => (
        <dl>
          <dt>
            <Prose text={what} />
          </dt>
          <dd>
            <Prose text={fix} />
          </dd>
        </dl>
      ))}
    </div>
  );
}
