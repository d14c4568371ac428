/** Finds the id in what somebody pasted: from a mail, a log line or an address. Pure. */

/** The forms of ids that cannot be mistaken for words, the surest first. */
const FORMS = [
  /^(?:FILE_[0-9a-z]{40}|(?:req|del|wh|ak)_[0-9a-z]{24,})$/i,
  /^evt_[A-Za-z0-9_-]+$/i,
  /^[0-9a-f]{24}$/i,
  // Cut short.
  /^(?:FILE|req|del|wh|ak)_(?=.*\d)[0-9a-z]+$/i,
];

/** Words that stand before an id and are none. */
const PREFIX =
  /^(?:request|file|report|delivery|event|connection|webhook|api|key|employer|idempotency|x|audit1|caller|the|of|is|no|nr|number|ids?|_id|(?:request|file|report|delivery|event|connection|webhook|api_?key|employer)_?id|x-audit1-request-id|x-request-id)$/i;

const LONGEST_CHARS = 2_000;

/** Null for a text without an id. */
export function pastedId(text: string): string | null {
  const words = text.slice(0, LONGEST_CHARS).match(/[A-Za-z0-9_-]+/g) ?? [];
  for (const form of FORMS) {
    const sure = words.find((word) => form.test(word));
    if (sure !== undefined) return sure;
  }
  // Ids of employers, and of events whose reporters chose them, may be any word.
  const others = words.filter((word) => !PREFIX.test(word));
  return others.find((word) => /\d/.test(word)) ?? others.at(-1) ?? words.at(-1) ?? null;
}

/** What an id of this form would name, for an answer that there is none. */
export function kindOf(id: string): string {
  const [prefix] = id.toLowerCase().split("_", 1);
  const kinds: Record<string, string> = {
    req: "a request",
    file: "a report",
    del: "a delivery",
    evt: "an event",
    wh: "a webhook",
    ak: "an API key",
  };
  const kind = id.includes("_") ? kinds[prefix ?? ""] : undefined;
  if (kind !== undefined) return kind;
  return /^[0-9a-f]{24}$/i.test(id)
    ? "a connection, a webhook, an API key, a job, an employer or an event"
    : "an employer, or an event with an id that its reporter chose";
}
