/** Headers that were sent more than once. The platform and proxies join their values with a comma and a space. Pure. */

/** The common value of all comma-separated parts of `value`; null if they differ. */
export function onlyValue(value: string): string | null {
  if (!value.includes(",")) return value;
  const [first = "", ...others] = value.split(",").map((part) => part.trim());
  return others.every((part) => part === first) ? first : null;
}
