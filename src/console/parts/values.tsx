/** How single values are shown: ids, times, sizes and numbers. */
import { relative } from "../format.ts";
import { usePage } from "../page-state.ts";

export { bytes, duration, number, percent } from "../format.ts";

/** Ids up to this long are shown whole. */
const SHORT_ID = 20;
const KEPT_START = 12;
const KEPT_END = 6;

interface IdProps {
  id: string;
  /** Shows all of it. */
  whole?: boolean;
}

/** An id in mono, shortened in the middle, whole on hover and on copy. */
export function Id({ id, whole = false }: IdProps) {
  const shown = whole ? id : shortId(id);
  return (
    <span class="id" title={shown === id ? undefined : id}>
      <code>{shown}</code>
      <Copy text={id} what="id" />
    </span>
  );
}

/** An id for where there is little room, as in a link. */
export function shortId(id: string): string {
  return id.length <= SHORT_ID ? id : `${id.slice(0, KEPT_START)}…${id.slice(-KEPT_END)}`;
}

/** A button that copies `text`. It is shown only where scripts run. */
export function Copy({ text, what = "text", label }: { text: string; what?: string; label?: string }) {
  return (
    <button type="button" class={label === undefined ? "copy" : "copy button"} data-copy={text} hidden>
      {label ?? <span class="unseen">Copy {what}</span>}
    </button>
  );
}

/** "2 min ago", with the instant on hover. The viewer's browser adds the local time. */
export function Time({ at }: { at: string | number | null | undefined }) {
  const { now } = usePage();
  if (at === null || at === undefined) return <span class="none">never</span>;
  const ms = typeof at === "number" ? at : Date.parse(at);
  const iso = new Date(ms).toISOString();
  return (
    <time datetime={iso} title={`${iso.replace("T", " ").replace("Z", "")} UTC`} data-relative>
      {relative(ms - now)}
    </time>
  );
}

/** The instant itself, in UTC; the viewer's browser shows it in local time. */
export function Instant({ at }: { at: string | number }) {
  const iso = new Date(at).toISOString();
  return (
    <time datetime={iso} title={iso} data-instant>
      {iso.slice(0, 19).replace("T", " ")} UTC
    </time>
  );
}

/** A time that has passed: the attempt is due, or under way. */
export function NextAttempt({ at }: { at: string | null }) {
  const { now } = usePage();
  if (at === null) return <Maybe value={null} />;
  return Date.parse(at) <= now ? <span>due</span> : <Time at={at} />;
}

/** A value, or a dash where there is none. */
export function Maybe({ value }: { value: string | number | null | undefined }) {
  return value === null || value === undefined || value === "" ? (
    <span class="none">–</span>
  ) : (
    <span>{value}</span>
  );
}
