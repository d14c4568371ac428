/** How single values are shown: ids, times, sizes and numbers. */
import { usePage } from "../page-state.ts";

/** Ids up to this long are shown whole. */
const SHORT_ID = 20;
const KEPT_START = 12;
const KEPT_END = 6;

const SECOND_MS = 1_000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

interface IdProps {
  id: string;
  /** Shows all of it. */
  whole?: boolean;
}

/** An id in mono, shortened in the middle, whole on hover and on copy. */
export function Id({ id, whole = false }: IdProps) {
  const shown = whole || id.length <= SHORT_ID ? id : `${id.slice(0, KEPT_START)}…${id.slice(-KEPT_END)}`;
  return (
    <span class="id" title={shown === id ? undefined : id}>
      <code>{shown}</code>
      <Copy text={id} what="id" />
    </span>
  );
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

/** `ms` before (negative) or after now, in one unit. */
export function relative(ms: number): string {
  const size = Math.abs(ms);
  if (size < 5 * SECOND_MS) return "just now";
  return ms < 0 ? `${duration(size)} ago` : `in ${duration(size)}`;
}

/** A length of time in its largest unit: `840 ms`, `12 s`, `7 min`, `3 h`, `5 d`. */
export function duration(ms: number): string {
  if (ms < SECOND_MS) return `${Math.round(ms)} ms`;
  if (ms < 10 * SECOND_MS) return `${(ms / SECOND_MS).toFixed(1)} s`;
  if (ms < 2 * MINUTE_MS) return `${Math.round(ms / SECOND_MS)} s`;
  if (ms < 2 * HOUR_MS) return `${Math.round(ms / MINUTE_MS)} min`;
  if (ms < 2 * DAY_MS) return `${Math.round(ms / HOUR_MS)} h`;
  return `${Math.round(ms / DAY_MS)} d`;
}

export function bytes(size: number): string {
  if (size < 1_000) return `${size} B`;
  if (size < 1_000_000) return `${(size / 1_000).toFixed(1)} KB`;
  return `${(size / 1_000_000).toFixed(1)} MB`;
}

const grouped = new Intl.NumberFormat("en-US");

/** `12,345`. */
export function number(value: number): string {
  return grouped.format(value);
}

/** A share between 0 and 1 as `4.2 %`. */
export function percent(share: number): string {
  return `${(share * 100).toFixed(share !== 0 && share < 0.1 ? 2 : 1)} %`;
}

/** A value, or a dash where there is none. */
export function Maybe({ value }: { value: string | number | null | undefined }) {
  return value === null || value === undefined || value === "" ? (
    <span class="none">–</span>
  ) : (
    <span>{value}</span>
  );
}
