/** What the API says of the fields of a webhook's form. */
import type { ApiError } from "../../api.ts";
import { Notice } from "../../parts/panels.tsx";

/** Of a field and of what is in it: `events[0]`, `headers.X-Key`. */
export function problemOf(problems: Record<string, string>, field: string): string | null {
  const found = Object.entries(problems)
    .filter(([name]) => name === field || name.startsWith(`${field}.`) || name.startsWith(`${field}[`))
    .map(([name, problem]) =>
      name.startsWith(`${field}.`) ? `${name.slice(field.length + 1)}: ${problem}` : problem,
    );
  return found.length === 0 ? null : found.join(" ");
}

/** The API's problems with fields, as the form shows them beside each. */
export function problemsOf(error: ApiError | null): Record<string, string> {
  return Object.fromEntries(
    Object.entries(error?.details ?? {}).flatMap(([field, problem]) =>
      typeof problem === "string" ? [[field, problem]] : [],
    ),
  );
}

/** Beside the fields that name it. */
export function NotSaved({ error, what }: { error: ApiError; what: string }) {
  const named = Object.keys(problemsOf(error)).length;
  return (
    <Notice meaning="bad">
      <p role="alert">
        <strong>{what}</strong> {named > 0 ? "The fields below say what to change." : error.message}
      </p>
      <p class="quiet small">
        Request <code>{error.request_id}</code>
      </p>
    </Notice>
  );
}
