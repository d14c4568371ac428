/** The settings of a connection as the texts of form fields, and what has to be sent to change them. Pure. */
import type { ShownConnection } from "../../../portal/connections/connection-contract.ts";

export const SETTINGS = [
  "description",
  "notification_email",
  "employer_id",
  "environment",
  "plan",
  "default_wait_seconds",
  "same_body",
  "retention_years",
] as const;
export type Setting = (typeof SETTINGS)[number];
export type Settings = Record<Setting, string>;

export const LABELS: Record<Setting, string> = {
  description: "Name",
  notification_email: "Mails go to",
  employer_id: "Employer",
  environment: "Environment",
  plan: "Plan",
  default_wait_seconds: "Wait for the files-creator, seconds",
  same_body: "An equal report within the hour",
  retention_years: "Kept in the archive, years",
};

/** A posted form: what the fields held when it was opened, and what they hold now. */
export interface Typed {
  was: Settings;
  wanted: Settings;
}

export function settingsOf(connection: ShownConnection): Settings {
  return recordOf((name) => String(connection[name] ?? ""));
}

/** A field that was not posted, such as that of a plan that the reader cannot choose, is unchanged. */
export function typedOf(form: Record<string, string>): Typed {
  const was = recordOf((name) => form[`was_${name}`] ?? "");
  return { was, wanted: recordOf((name) => (form[name] === undefined ? was[name] : form[name].trim())) };
}

const NULLABLE: readonly Setting[] = ["description", "notification_email", "employer_id"];
const NUMBERS: readonly Setting[] = ["default_wait_seconds", "retention_years"];

/** The fields that were changed, as the API takes them. A text that is no number is left to the API, which says so. */
export function patchOf({ was, wanted }: Typed): Record<string, string | number | null> {
  const changed = SETTINGS.filter((name) => was[name] !== wanted[name]);
  return Object.fromEntries(changed.map((name) => [name, sentValue(name, wanted[name])]));
}

function sentValue(name: Setting, text: string): string | number | null {
  if (text === "" && NULLABLE.includes(name)) return null;
  return NUMBERS.includes(name) && /^-?\d+$/.test(text) ? Number(text) : text;
}

function recordOf(value: (name: Setting) => string): Settings {
  return Object.fromEntries(SETTINGS.map((name) => [name, value(name)])) as Settings;
}
