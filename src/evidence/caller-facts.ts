/** The facts that evidence keeps from the headers of a request. Each text is bounded and printable ASCII. Pure. */
import type { CallerFacts } from "./request-entry.ts";

const LONGEST_TYPE = 100;
const LONGEST_PRODUCT = 64;
const MEDIA_TYPE = /^[A-Za-z0-9!#$^_.+-]+\/[A-Za-z0-9!#$^_.+-]+/;
/** A product and its version, in those characters of a token that are harmless in HTML: no quote, bracket, blank or ampersand. */
const PRODUCT = /^[A-Za-z0-9!#$%*+.^_|~-]+(?:\/[A-Za-z0-9!#$%*+.^_|~-]+)?/;
const COUNTRY = /^[A-Z][A-Z0-9]$/;
/** Milliseconds. Longer numbers are not times. */
const TIMESTAMP = /^\d{12,14}$/;

/** `callerRequestId` must be well-formed. */
export function callerFacts(headers: Headers, callerRequestId: string | null, now: number): CallerFacts {
  return {
    callerRequestId,
    contentType: start(headers.get("Content-Type"), MEDIA_TYPE, LONGEST_TYPE),
    userAgent: userAgentProduct(headers),
    country: countryOf(headers),
    clockSkewMs: clockSkew(headers, now),
  };
}

/** The first product of the user agent; null if it begins with none. */
export function userAgentProduct(headers: Headers): string | null {
  return start(headers.get("User-Agent"), PRODUCT, LONGEST_PRODUCT);
}

/** Determined by the platform, which overwrites a header that the caller sent. */
export function countryOf(headers: Headers): string | null {
  const country = headers.get("CF-IPCountry");
  return country !== null && COUNTRY.test(country) ? country : null;
}

/** The sender's timestamp minus the server's clock; null unless it is in milliseconds. */
function clockSkew(headers: Headers, now: number): number | null {
  const timestamp = headers.get("X-Webhook-Timestamp");
  return timestamp !== null && TIMESTAMP.test(timestamp) ? Number(timestamp) - now : null;
}

function start(text: string | null, form: RegExp, longest: number): string | null {
  return text === null ? null : (form.exec(text.slice(0, longest))?.[0] ?? null);
}
