/** The page that imports employers. With scripts it follows the import, stops and goes on; without, it answers at the end. */
import { NDJSON, ndjsonStream } from "../../../../http/ndjson.ts";
import type { ImportEvent } from "../../../../portal/employers/employer-import.ts";
import type { ConsoleContext } from "../../../console-host.ts";
import { noSuch } from "../../../not-found.tsx";
import { statusOfRefused } from "../../../page.tsx";
import { usePage } from "../../../page-state.ts";
import { ButtonLink } from "../../../parts/link.tsx";
import { Code, Heading, Notice, Panel } from "../../../parts/panels.tsx";
import { Refused } from "../../../parts/states.tsx";
import { to } from "../../../paths.ts";
import { mayManage, VIEW_ONLY } from "../../../session.ts";
import { settingsPage } from "../settings-page.tsx";
import { importLinesOf, NO_OWNERS } from "./import-lines.ts";
import { type ImportOutcome, Outcome } from "./import-outcome.tsx";
import { runImport } from "./run-import.ts";

/** The act of the form. */
export const IMPORT = "import";

const EXAMPLE = `id,name,fein,owners
EMP_1042,"Acme Manufacturing, Inc.",12-3456789,payroll_company/acme
EMP_1043,Bolt & Sons,,payroll_company/acme payroll_company/second
`;

export async function showImport(c: ConsoleContext, outcome: ImportOutcome | null): Promise<Response> {
  if (c.get("session").owner !== null)
    return noSuch(c, {
      noun: "page",
      section: "settings",
      list: { href: to.settings({ tab: "employers" }), label: "All employers" },
    });
  const status =
    outcome === null || outcome.kind === "ran"
      ? 200
      : outcome.kind === "unread"
        ? 400
        : statusOfRefused(outcome.call);
  return settingsPage(
    c,
    { title: "Import employers", status, scripts: ["import.js"] },
    <ImportPage outcome={outcome} />,
  );
}

/** Answers a script with the import's events as they come, and everybody else with a page at the end. */
export async function importList(c: ConsoleContext): Promise<Response> {
  const { file, text = "", from = "1" } = await c.req.parseBody();
  const list = file instanceof File && file.size > 0 ? await file.text() : String(text);
  const read = importLinesOf(list);
  if (!read.ok) return refuse(c, { kind: "unread", list, problem: read.error });
  const first = Math.max(1, Math.trunc(Number(from)) || 1);
  const run = await runImport(c.get("api"), read.value, first);
  if (!run.ok) return refuse(c, { kind: "refused", list, call: run });
  if (isScript(c)) return c.body(ndjsonStream(run.events), 200, { "Content-Type": NDJSON });
  const problems: Extract<ImportEvent, { type: "problem" }>[] = [];
  let end: Extract<ImportEvent, { type: "end" }> | null = null;
  for await (const event of run.events) {
    if (event.type === "problem") problems.push(event);
    if (event.type === "end") end = event;
  }
  return showImport(c, { kind: "ran", list, problems, end });
}

function refuse(
  c: ConsoleContext,
  outcome: Exclude<ImportOutcome, { kind: "ran" }>,
): Response | Promise<Response> {
  if (!isScript(c)) return showImport(c, outcome);
  const message = outcome.kind === "unread" ? outcome.problem : outcome.call.error.message;
  return c.json({ message }, outcome.kind === "unread" ? 400 : statusOfRefused(outcome.call));
}

/** The script of this page asks, and shows a message. */
export function isScript(c: ConsoleContext): boolean {
  return c.req.header("Accept") === NDJSON;
}

function ImportPage({ outcome }: { outcome: ImportOutcome | null }) {
  const { session } = usePage();
  return (
    <>
      <Heading
        title="Import employers"
        actions={<ButtonLink href={to.settings({ tab: "employers" })}>All employers</ButtonLink>}
      >
        Adds the employers of a list, and brings those that exist up to date. It is safe to repeat: what is up
        to date stays as it is.
      </Heading>
      {outcome?.kind === "refused" && <Refused error={outcome.call.error} what="Nothing was imported." />}
      {outcome?.kind === "unread" && (
        <Notice meaning="bad">
          <p>
            <strong>Nothing was imported.</strong> {outcome.problem}
          </p>
        </Notice>
      )}
      {outcome?.kind === "ran" && <Outcome outcome={outcome} />}
      <Following />
      {mayManage(session) ? (
        <ImportForm outcome={outcome} />
      ) : (
        <Notice meaning="warning">
          <p>{VIEW_ONLY}</p>
        </Notice>
      )}
      <Format />
    </>
  );
}

/** Filled in by the script. */
function Following() {
  return (
    <section class="panel" id="import" hidden aria-label="Progress of the import">
      <div class="progress">
        <progress aria-label="Lines imported" max={1} value={0} data-share />
        <p data-words aria-live="polite" />
      </div>
      <p class="buttons">
        <button type="button" data-stop>
          Stop
        </button>
        <button type="button" class="primary" data-continue hidden>
          Continue
        </button>
        <button type="button" data-discard hidden>
          Discard
        </button>
      </p>
      <ul class="warnings" data-problems aria-label="Lines that were refused" />
    </section>
  );
}

function ImportForm({ outcome }: { outcome: ImportOutcome | null }) {
  const { url } = usePage();
  const end = outcome?.kind === "ran" ? outcome.end : null;
  const from = end !== null && !end.complete ? end.continue_at_line : null;
  const isDone = end?.complete === true;
  return (
    <form
      method="post"
      action={`${url.pathname}${url.search}`}
      enctype="multipart/form-data"
      data-busy="Importing…"
      data-import
    >
      <input type="hidden" name="act" value={IMPORT} />
      {from !== null && <input type="hidden" name="from" value={from} />}
      <div class="fields">
        <p class="field">
          <label for="file">File</label>
          <input id="file" type="file" name="file" accept=".csv,.tsv,.txt,.ndjson,.jsonl" />
        </p>
        <p class="field">
          <label for="text">Or the list itself</label>
          <textarea id="text" name="text" rows={8} spellcheck={false} placeholder={EXAMPLE}>
            {outcome === null || isDone ? "" : outcome.list}
          </textarea>
        </p>
      </div>
      <p class="buttons">
        <button type="submit" class="primary">
          {from === null ? "Import" : `Continue at line ${from}`}
        </button>
      </p>
    </form>
  );
}

function Format() {
  return (
    <Panel title="What the list looks like">
      <p>
        CSV, separated by commas, semicolons or tabs, with a first line that names the columns:{" "}
        <code>id</code> and <code>name</code>, and if wanted <code>fein</code> and <code>owners</code>, which
        are separated by blanks. An empty <code>owners</code> leaves the grants as they are,{" "}
        <code>{NO_OWNERS}</code> withdraws all. Without a FEIN, an employer has none.
      </p>
      <Code text={EXAMPLE} what="example" />
      <p>
        Or NDJSON: an employer a line, as <code>POST /api/v1/employers/import</code> takes it. Only there can{" "}
        <code>"force": true</code> withdraw an employer from owners whose connections are bound to it.
      </p>
    </Panel>
  );
}
