/** What a list or a panel shows in place of its content. */
import type { Child } from "hono/jsx";
import type { ApiError } from "../api.ts";
import { usePage } from "../page-state.ts";
import { ButtonLink, useChanged } from "./link.tsx";
import { Id } from "./values.tsx";

/** A call of the API failed. */
export function Failed({ error, what }: { error: ApiError; what: string }) {
  const { url } = usePage();
  return (
    <div class="state failed" role="alert">
      <p>
        <strong>{what} could not be read.</strong> {error.message}
      </p>
      <Problems error={error} />
      <p class="quiet">
        Request <Id id={error.request_id} />
      </p>
      <ButtonLink href={`${url.pathname}${url.search}`}>Try again</ButtonLink>
    </div>
  );
}

/** A change was refused. `error.details` names fields. */
export function Refused({ error, what }: { error: ApiError; what: string }) {
  return (
    <div class="state failed" role="alert">
      <p>
        <strong>{what}</strong> {error.message}
      </p>
      <Problems error={error} />
      <p class="quiet">
        Request <Id id={error.request_id} />
      </p>
    </div>
  );
}

/** The fields that the API complains about, such as a filter's. */
function Problems({ error }: { error: ApiError }) {
  const details = Object.entries(error.details ?? {});
  if (details.length === 0) return null;
  return (
    <ul>
      {details.map(([field, problem]) => (
        <li>
          <code>{field}</code>: {typeof problem === "string" ? problem : JSON.stringify(problem)}
        </li>
      ))}
    </ul>
  );
}

/** Filters are set and nothing matches. `clear` is the address without them. */
export function NothingMatches({ clear, what }: { clear: string; what: string }) {
  return (
    <div class="state">
      <p>No {what} match these filters.</p>
      <ButtonLink href={clear}>Clear filters</ButtonLink>
    </div>
  );
}

/** Nothing on a page of a filtered list matches, and older pages follow. */
export function LookFurther({ what, cursor }: { what: string; cursor: string }) {
  const change = useChanged();
  return (
    <div class="state">
      <p>None of the {what} that were examined match. There are older ones.</p>
      <ButtonLink href={change({ cursor })}>Look further back</ButtonLink>
    </div>
  );
}

/** There is nothing yet. The children are what to do about it. */
export function NothingYet({ what, children }: { what: string; children?: Child }) {
  return (
    <div class="state">
      <p>{what}</p>
      {children}
    </div>
  );
}

/** Says in `words` what was done, if the page's address names it. */
export function DoneAsNamed({ words }: { words: Readonly<Record<string, string>> }) {
  const { url } = usePage();
  const name = url.searchParams.get("done") ?? "";
  return Object.hasOwn(words, name) ? <Done>{words[name] ?? ""}</Done> : null;
}

/** Something was done. */
export function Done({ children }: { children: Child }) {
  return (
    <p class="done" role="status">
      {children}
    </p>
  );
}
