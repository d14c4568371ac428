/** Recognizes what a header holds instead of what it should. The descriptions repeat nothing of the header's value. Pure. */

/** A pattern, and what a header that matches it holds. */
export type HeaderForm = [form: RegExp, what: string];

/** Most forms are shorter. Longer headers are not matched against the patterns. */
const LONGEST_FORM_CHARS = 256;

export const PLACEHOLDER = /\$\(|\$\{|\{\{|<[^>]*>/;

/** The description of the first form that matches; null if none does. */
export function matchingForm(
  header: string,
  forms: readonly HeaderForm[],
  longestChars = LONGEST_FORM_CHARS,
): string | null {
  if (header.length > longestChars) return null;
  return forms.find(([form]) => form.test(header))?.[1] ?? null;
}
