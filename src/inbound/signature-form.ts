/**
 * What stands in a signature's or a timestamp's header where none can be read: in words for the person who mends the
 * sender. Nothing of the header's value is repeated. Pure.
 */

/** Nothing with a name is longer, and no pattern is tried on more. */
const LONGEST_FORM_CHARS = 256;

/** By the number of hex digits. */
const DIGESTS: Record<number, string> = {
  32: "MD5",
  40: "SHA-1",
  56: "SHA-224",
  96: "SHA-384",
  128: "SHA-512",
};

const SIGNATURE_FORMS: [form: RegExp, what: string][] = [
  [
    /\(stdin\)\s*=/i,
    "It begins with what `openssl dgst` prints before the digest, such as `(stdin)= `: send only what follows it.",
  ],
  [/^["'`]|["'`]$/, "It stands in quotes: send the digits alone."],
  [
    /^(?:t=\d+|v\d+=|v\d+,).*[=,]/i,
    "It has the form of another scheme, with `t=` or `v1`: send the digits alone.",
  ],
  [
    /^(?:hmac[-_]?)?sha-?\d+\s*[=:]/i,
    "It begins with the name of an algorithm, such as `sha256=`: send the digits alone.",
  ],
  [/^v\d+\s*[=:,]/i, "It begins with a version, such as `v1=`: send the digits alone."],
  [/^(?:bearer|basic|hmac|signature)\b/i, "It begins with the name of a scheme: send the digits alone."],
  [/^0x[0-9a-f]/i, "It begins with `0x`: send the digits alone."],
  [/^\\x|\\n|\\r|%0a|%0d/i, "It holds an escape, such as `\\n`: send the digits alone."],
  [
    /^(?:[0-9a-f]{2}[-:\s]){15,}[0-9a-f]{2}$/i,
    "Its bytes are separated by dashes, colons or blanks: send the digits without them.",
  ],
  [/^[0-9a-f]+\s+[*-]/i, "It ends with a file's name, as checksum tools print it: send the digits alone."],
  [
    /^(?:undefined|null|none|nan|true|false|\[object .*|function\b.*)$/i,
    "It is no signature but the word that a program prints for a missing value.",
  ],
  [/\$\(|\$\{|\{\{|<[^>]*>/, "It holds a placeholder that nothing was put in for."],
  [
    /^[A-Za-z0-9+/_-]{43}=?$/,
    "It looks like base64 (43 or 44 characters): encode the same 32 bytes as 64 hex digits.",
  ],
  [
    /^[A-Za-z0-9+/_-]{86,88}={0,2}$/,
    "It looks like base64 of the hex digits or of a longer digest: send the 64 hex digits themselves.",
  ],
];

/** Of a header that is not 64 hex digits. */
export function describeSignature(text: string): string {
  const { length } = text;
  if (/^[0-9a-f]+$/i.test(text)) {
    const digest = DIGESTS[length];
    const likely = digest === undefined ? "" : `, as many as a digest of ${digest} has`;
    return `It has ${length} hex digits${likely}; HMAC-SHA256 has 64.`;
  }
  const forms = length > LONGEST_FORM_CHARS ? [] : SIGNATURE_FORMS;
  for (const [form, what] of forms) if (form.test(text)) return what;
  if (/\s/.test(text.trim())) return "It holds blanks: send the 64 hex digits alone.";
  return `It has ${length} characters that are not all hex digits.`;
}

const TIMESTAMP_FORMS: [form: RegExp, what: string][] = [
  [/^\d{4}-\d{2}-\d{2}|^[A-Za-z]{3},? .*\d/, "a date in words"],
  [/^\d+[.,]\d*$/, "a number with a fraction"],
  [/^\d{17,20}$/, "a number of nanoseconds or finer"],
  [/^-\d+$/, "a negative number"],
  [/^\+\d+$/, "a number with a plus sign"],
  [/^\d+(?:\.\d+)?e[+-]?\d+$/i, "a number with an exponent"],
  [/^0x[0-9a-f]+$/i, "a hex number"],
  [/^\d+(?:N|%N|%3N)$/, "what `date` prints where it does not know `%N`, as on macOS"],
  [/^["'`].*["'`]$/, "a value in quotes"],
  [/^\d+\s*(?:ms|s)$/i, "a number with a unit"],
  [/^\d{1,3}(?:[,_ ']\d{3})+$/, "a number with separators"],
  [
    /^(?:undefined|null|none|nan|true|false|\[object .*)$/i,
    "the word that a program prints for a missing value",
  ],
  [/\$\(|\$\{|\{\{|<[^>]*>/, "a placeholder that nothing was put in for"],
  [/\\n|\\r|%0a|%0d/i, "a number with an escape, such as `\\n`"],
];

/** Of a header that is no integer; null where nothing can be said of it. */
export function describeTimestamp(text: string): string | null {
  const forms = text.length > LONGEST_FORM_CHARS ? [] : TIMESTAMP_FORMS;
  for (const [form, what] of forms) if (form.test(text)) return what;
  return null;
}
