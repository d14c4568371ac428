/** The longer messages of public errors, which compare a header's value with what it should be. Pure. */
import type { SettingsPart } from "../model.ts";

/** `aheadMs` is how far the timestamp is ahead of the server's time; negative if it is behind. */
export type TimestampProblem =
  | { reason: "seconds" | "clock_ahead" | "clock_behind"; aheadMs: number; serverTimeMs: number }
  /** `form` describes the header's value; null if it has no known form. */
  | { reason: "not_a_number"; form: string | null; serverTimeMs: number };

export const SETTINGS_PARTS: Record<SettingsPart, string> = {
  key_ring: "key ring is",
  portal_clients: "portal clients are",
  access: "sign-in through Cloudflare Access is",
  files_creator: "connection to the files-creator is",
  mail: "mail is",
  own_hosts: "list of its own hosts is",
  operators_webhook: "operators' webhook is",
  console: "console is",
};

export const SIGNATURE_RULE =
  "It must be the hex HMAC-SHA256 (64 digits, no prefix), under the connection's secret, of the timestamp, a dot and the exact bytes of the body.";

export function bodySize(bytes: number): string {
  if (bytes === 0) return "empty body";
  return bytes === 1 ? "1 byte" : `${bytes} bytes`;
}

const YEAR_MS = 365 * 86_400_000;

export function timestampAdvice(problem: TimestampProblem): string {
  const at = `The server's time is ${problem.serverTimeMs} (${new Date(problem.serverTimeMs).toISOString()}).`;
  switch (problem.reason) {
    case "not_a_number": {
      const instead = problem.form === null ? "" : ` It holds ${problem.form}.`;
      return `X-Webhook-Timestamp must be the time in Unix milliseconds, digits only.${instead} ${at}`;
    }
    case "seconds": {
      const { aheadMs, serverTimeMs } = problem;
      const asSecondsMs = (serverTimeMs + aheadMs) * 1_000 - serverTimeMs;
      const apart = `${duration(Math.abs(asSecondsMs))} ${asSecondsMs > 0 ? "ahead of" : "behind"} the server's time`;
      return `X-Webhook-Timestamp looks like seconds; it must be Unix milliseconds. Multiply it by 1000 before signing: read as seconds, it is ${apart}. ${at}`;
    }
    case "clock_ahead": {
      const finer =
        problem.aheadMs > 100 * YEAR_MS
          ? " It may be in microseconds: divide it by 1000 before signing."
          : "";
      return `X-Webhook-Timestamp is ${duration(problem.aheadMs)} ahead of the server's time; at most five minutes are allowed. Correct the sender's clock, and sign again.${finer} ${at}`;
    }
    case "clock_behind":
      return `X-Webhook-Timestamp is ${duration(-problem.aheadMs)} behind the server's time; at most five minutes are allowed. Correct the sender's clock, or sign again before resending. ${at}`;
  }
}

/** In the two largest non-zero units, rounded down to seconds. */
function duration(ms: number): string {
  const units: [number, string][] = [
    [YEAR_MS, "year"],
    [86_400_000, "day"],
    [3_600_000, "hour"],
    [60_000, "minute"],
    [1_000, "second"],
  ];
  const parts: string[] = [];
  let left = ms;
  for (const [unit, name] of units) {
    const count = Math.floor(left / unit);
    left -= count * unit;
    if (count > 0 && parts.length < 2) parts.push(`${count} ${name}${count === 1 ? "" : "s"}`);
  }
  return parts.join(" ") || `${ms} ms`;
}

/** Repeats the encoding only if it has the form of one, because the header's value is the sender's. */
export function encodingAdvice(encoding: string): string {
  if (encoding.startsWith("utf"))
    return `Content-Encoding is \`${encoding.slice(0, 8)}\`, which is a charset, not an encoding. Leave the header out.`;
  const named = /^[a-z0-9][a-z0-9*._-]{0,15}$/.test(encoding) ? `\`${encoding}\`` : "an unknown encoding";
  return `Content-Encoding is ${named}. Send the body uncompressed, without this header: the signature covers the bytes as sent.`;
}
