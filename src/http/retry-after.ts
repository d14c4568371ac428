/** `Retry-After` of a response, in seconds or as a date (RFC 9110, section 10.2.3), as ms from `now`; null if absent or malformed. */
export function retryAfterMs(headers: Headers, now: number): number | null {
  const value = headers.get("Retry-After")?.trim() ?? "";
  if (/^\d{1,9}$/.test(value)) return Number(value) * 1_000;
  // All three forms of an HTTP date begin with the day's name; Date.parse would find a year in any text.
  const at = /^(Mon|Tue|Wed|Thu|Fri|Sat|Sun)/.test(value) ? Date.parse(value) : Number.NaN;
  return Number.isNaN(at) ? null : Math.max(0, at - now);
}
