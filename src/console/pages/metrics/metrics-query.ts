/** What the address of the page Metrics asks for. Parameters of other forms count as missing, and a notice says so. Pure. */
import { API_KEY_PREFIX, objectIdOf, parseWebhookId } from "../../../model.ts";
import type { Scope } from "../../page-scope.ts";

export const HOUR_MS = 3_600_000;
export const DAY_MS = 86_400_000;
/** Hours may cover at most this many days. */
const MOST_DAYS_OF_HOURS = 31;
const MOST_DAYS = 400;

export const TABS = [
  { value: "goals", label: "Goals" },
  { value: "requests", label: "Reports" },
  { value: "deliveries", label: "Deliveries" },
  { value: "latencies", label: "Latencies" },
  { value: "senders", label: "Compare" },
] as const;
export type Tab = (typeof TABS)[number]["value"];

export const RANGES = [
  { value: "24h", label: "Last 24 hours", hours: 24, step: "hour" },
  { value: "7d", label: "Last 7 days", hours: 7 * 24, step: "hour" },
  { value: "30d", label: "Last 30 days", hours: 30 * 24, step: "day" },
  { value: "90d", label: "Last 90 days", hours: 90 * 24, step: "day" },
  { value: "12mo", label: "Last 12 months", hours: 365 * 24, step: "day" },
] as const;
type Range = (typeof RANGES)[number];
const DEFAULT_RANGE: Range = RANGES[2];

export const TIME_PARAMETERS = ["range", "granularity", "since", "until"] as const;

export type Step = "hour" | "day";

/** One object that the numbers are about. */
export interface Subject {
  kind: "connection" | "api_key" | "webhook";
  id: string;
}

export interface MetricsQuery {
  tab: Tab;
  step: Step;
  /** The beginning of the first period, ms. */
  since: number;
  /** ms. Null for now. */
  until: number | null;
  subject: Subject | null;
  environment: Scope["environment"];
  /** Of the tab that compares. */
  measure: string;
  by: string;
  cursor: string | null;
  /** The parameters that say the time, as the address has them. */
  time: Readonly<Record<(typeof TIME_PARAMETERS)[number], string | null>>;
  /** What of the address could not be used, in sentences. */
  notices: readonly string[];
}

export function queryOf(query: URLSearchParams, { environment }: Scope, now: number): MetricsQuery {
  const notices: string[] = [];
  const tab = TABS.find(({ value }) => value === query.get("tab"))?.value ?? "goals";
  const subject = subjectOf(query.get("of") ?? "", notices);
  return {
    ...timesOf(query, now, notices),
    tab: tabFor(tab, subject),
    subject,
    environment,
    measure: query.get("measure") ?? "",
    by: query.get("by") ?? "",
    cursor: query.get("cursor"),
    time: {
      range: query.get("range"),
      granularity: query.get("granularity"),
      since: query.get("since"),
      until: query.get("until"),
    },
    notices,
  };
}

/** The tabs that have numbers about the subject. */
export function tabsFor(subject: Subject | null): readonly (typeof TABS)[number][] {
  if (subject === null) return TABS;
  const has: readonly Tab[] =
    subject.kind === "webhook" ? ["deliveries", "latencies"] : ["goals", "requests", "latencies"];
  return TABS.filter(({ value }) => has.includes(value));
}

function tabFor(tab: Tab, subject: Subject | null): Tab {
  const tabs = tabsFor(subject);
  return tabs.some(({ value }) => value === tab) ? tab : (tabs[0]?.value ?? tab);
}

function subjectOf(text: string, notices: string[]): Subject | null {
  const given = text.trim();
  if (given === "") return null;
  if (given.startsWith("wh_") && parseWebhookId(given) !== null) return { kind: "webhook", id: given };
  if (given.startsWith(API_KEY_PREFIX) && objectIdOf(given, API_KEY_PREFIX) !== null)
    return { kind: "api_key", id: given };
  const connection = objectIdOf(given, "");
  if (connection !== null) return { kind: "connection", id: connection };
  notices.push(
    "Of one object: that is no id of a connection (24 characters of 0-9 and a-f), a key (ak_…) or a webhook (wh_…). Everything is shown.",
  );
  return null;
}

function timesOf(
  query: URLSearchParams,
  now: number,
  notices: string[],
): Pick<MetricsQuery, "step" | "since" | "until"> {
  const range = RANGES.find(({ value }) => value === query.get("range")) ?? DEFAULT_RANGE;
  const given = { since: momentOf(query, "since", notices), until: momentOf(query, "until", notices) };
  const asked = query.get("granularity");
  const until = given.until !== null && given.until < now ? given.until : null;
  const end = until ?? now;
  const length = given.since === null ? range.hours * HOUR_MS : end - given.since;
  if (length <= 0) {
    notices.push("From must be before To, and not in the future. The last 30 days are shown.");
    return { step: "day", since: begin(now, DEFAULT_RANGE.hours, "day"), until: null };
  }
  const usual: Step = given.since === null ? range.step : length <= 8 * DAY_MS ? "hour" : "day";
  const step: Step = asked === "hour" || asked === "day" ? asked : usual;
  const mostDays = step === "hour" ? MOST_DAYS_OF_HOURS : MOST_DAYS;
  if (length > mostDays * DAY_MS && step === "hour") {
    notices.push(`Hours cover at most ${MOST_DAYS_OF_HOURS} days, so days are shown.`);
    return { step: "day", since: begin(end, Math.min(length / HOUR_MS, MOST_DAYS * 24), "day"), until };
  }
  if (length > mostDays * DAY_MS) notices.push(`At most ${MOST_DAYS} days are shown.`);
  return { step, since: begin(end, Math.min(length, mostDays * DAY_MS) / HOUR_MS, step), until };
}

/** The beginning of the first of the periods that end with the one of `end`. */
function begin(end: number, hours: number, step: Step): number {
  const length = step === "hour" ? HOUR_MS : DAY_MS;
  const periods = Math.max(1, Math.ceil((hours * HOUR_MS) / length));
  const last = end - 1 - ((end - 1) % length);
  return Math.max(0, last - (periods - 1) * length);
}

/** A time as a field gives it, in UTC: `2026-03-16T10:30`, or a day. */
function momentOf(query: URLSearchParams, name: string, notices: string[]): number | null {
  const text = query.get(name)?.trim() ?? "";
  if (text === "") return null;
  const ms = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?Z?)?$/.test(text)
    ? Date.parse(text.length === 10 || text.endsWith("Z") ? text : `${text}Z`)
    : Number.NaN;
  if (!Number.isNaN(ms)) return ms;
  notices.push(`${name === "since" ? "From" : "To"} is not a time such as 2026-03-16T10:30. It is left out.`);
  return null;
}
