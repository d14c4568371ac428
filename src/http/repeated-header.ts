/** Headers that came twice. The platform joins their values with a comma and a blank, and so do proxies. Pure. */

/** The one value that every comma-separated part of `value` is; null where the parts differ. */
export function onlyValue(value: string): string | null {
  if (!value.includes(",")) return value;
  const [first = "", ...others] = value.split(",").map((part) => part.trim());
  return others.every((part) => part === first) ? first : null;
}
