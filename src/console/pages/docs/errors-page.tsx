/** Every public error with its cause and its fix. */
import { usePage } from "../../page-state.ts";
import { ButtonLink } from "../../parts/link.tsx";
import { Panel } from "../../parts/panels.tsx";
import { Prose } from "../../parts/prose.tsx";
import { ScopeInputs } from "../../parts/scope-fields.tsx";
import { to } from "../../paths.ts";
import { type ErrorRow, errorRows, matchesWords } from "./error-search.ts";
import { Reference } from "./reference-link.tsx";

export function ErrorsPage() {
  const { url } = usePage();
  const words = url.searchParams.get("q") ?? "";
  const rows = errorRows().map((row) => ({ row, isShown: matchesWords(row, words) }));
  const shown = rows.filter(({ isShown }) => isShown).length;
  return (
    <>
      <p class="prose">
        Compare <code>error</code> or <code>code</code> in programs, and show <code>message</code> to people:
        it names what is particular to the request. Quote <code>request_id</code> to support, or paste it into
        Find. Which endpoint answers what, with examples, is in the{" "}
        <Reference page="errors">API reference</Reference>.
      </p>
      <SearchForm words={words} />
      <Panel
        title="Errors"
        aside={
          <span class="quiet" data-row-count role="status">
            {shown} of {rows.length}
          </span>
        }
      >
        <div class="state" data-no-rows hidden={shown > 0}>
          <p>No errors match this search.</p>
          <ButtonLink href={to.docs({ page: "errors" })}>Clear the search</ButtonLink>
        </div>
        <ul class="registry">
          {rows.map(({ row, isShown }) => (
            <Row row={row} isShown={isShown} />
          ))}
        </ul>
      </Panel>
    </>
  );
}

function Row({ row: { status, error, code, cause, fix }, isShown }: { row: ErrorRow; isShown: boolean }) {
  return (
    <li data-row hidden={!isShown}>
      <div>
        <strong>{status}</strong> <code>{error}</code>
        <br />
        <code class="quiet">{code}</code>
      </div>
      <dl>
        <dt class="unseen">Cause</dt>
        <dd>
          <Prose text={cause} />
        </dd>
        <dt class="unseen">What to do</dt>
        <dd class="quiet">
          <Prose text={fix} />
        </dd>
      </dl>
    </li>
  );
}

function SearchForm({ words }: { words: string }) {
  return (
    <search class="filters">
      <form method="get" action={to.docs()}>
        <input type="hidden" name="page" value="errors" />
        <ScopeInputs />
        <p class="field">
          <label for="words">Search by status, code, or words of the message</label>
          <input
            id="words"
            class="long"
            type="search"
            name="q"
            value={words}
            placeholder="401 signature"
            autocomplete="off"
            spellcheck={false}
            data-search-rows
          />
        </p>
        <button type="submit">Search</button>
      </form>
    </search>
  );
}
