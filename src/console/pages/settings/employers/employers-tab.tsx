/** The tab of employers: the list, a new one, the page of each, and the import. */
import type { ShownEmployer } from "../../../../portal/employers/employer-contract.ts";
import type { ApiResult } from "../../../api.ts";
import type { ConsoleContext } from "../../../console-host.ts";
import { statusOfRefused } from "../../../page.tsx";
import { ownerText, withScope } from "../../../page-scope.ts";
import { usePage } from "../../../page-state.ts";
import { Action, ActionForm } from "../../../parts/dialog.tsx";
import { ButtonLink } from "../../../parts/link.tsx";
import { Heading } from "../../../parts/panels.tsx";
import { Failed, NothingYet } from "../../../parts/states.tsx";
import { type Column, Pager, Table } from "../../../parts/table.tsx";
import { Maybe } from "../../../parts/values.tsx";
import { to } from "../../../paths.ts";
import { ChangeDialog, type RefusedForm, type SettingsTab, settingsPage } from "../settings-page.tsx";
import { EmployerFields } from "./employer-fields.tsx";
import { actOnEmployer, showEmployer } from "./employer-page.tsx";
import { employerBodyOf, employerValuesOf, feinWords, NO_EMPLOYER, ownerLines } from "./employer-values.ts";
import { IMPORT, importList, showImport } from "./import-page.tsx";

const LIMIT = 50;
const CREATE = "create";
const SHOWN_OWNERS = 2;

interface EmployersBody {
  employers: ShownEmployer[];
  next_cursor: string | null;
}

export const employersTab: SettingsTab = {
  show: async (c) => {
    const id = employerIdOf(c);
    if (id !== null) return showEmployer(c, id, null);
    return isImport(c) ? showImport(c, null) : showEmployers(c, null);
  },
  act: async (c, form) => {
    const id = employerIdOf(c);
    if (id !== null) return actOnEmployer(c, id, form);
    if (isImport(c)) return form.act === IMPORT ? importList(c) : showImport(c, null);
    if (form.act !== CREATE) return showEmployers(c, null);
    const values = employerValuesOf(form);
    const call = await c.get("api").send("PUT", `/employers/${encodeURIComponent(values.id)}`, {
      body: employerBodyOf(values),
      ifNoneMatch: "*",
      scoped: false,
    });
    if (!call.ok) return showEmployers(c, { act: CREATE, form, call });
    const page = to.settings({ tab: "employers", employer: values.id, done: CREATE });
    return c.redirect(withScope(page, c.get("scope")), 303);
  },
};

function isImport(c: ConsoleContext): boolean {
  return new URL(c.req.url).searchParams.has("import");
}

function employerIdOf(c: ConsoleContext): string | null {
  return new URL(c.req.url).searchParams.get("employer") || null;
}

async function showEmployers(c: ConsoleContext, refused: RefusedForm | null): Promise<Response> {
  const cursor = new URL(c.req.url).searchParams.get("cursor");
  const listed = await c.get("api").get<EmployersBody>("/employers", { cursor, limit: LIMIT });
  const isStaff = c.get("session").owner === null;
  return settingsPage(
    c,
    { title: "Employers", status: refused === null ? 200 : statusOfRefused(refused.call) },
    <>
      <Heading
        title="Employers"
        actions={
          isStaff && (
            <>
              <ButtonLink href={to.settings({ tab: "employers", import: "yes" })}>Import</ButtonLink>
              <Action name={CREATE}>Add employer</Action>
            </>
          )
        }
      >
        {isStaff
          ? "Each names the owners that may report for it. A report for any other employer is refused."
          : "The employers that you may report for. Audit1 grants them; a report for any other is refused."}
      </Heading>
      {isStaff && <NewEmployer refused={refused} />}
      <EmployerList listed={listed} />
    </>,
  );
}

function NewEmployer({ refused }: { refused: RefusedForm | null }) {
  const { scope } = usePage();
  const values =
    refused === null ? { ...NO_EMPLOYER, owners: ownerText(scope) } : employerValuesOf(refused.form);
  return (
    <ChangeDialog
      name={CREATE}
      title="Add an employer"
      refused={refused}
      overtaken={<p class="notice bad">An employer with this id exists already. Nothing was changed.</p>}
    >
      <ActionForm hidden={{ act: CREATE }} submit="Add employer" busy="Adding…">
        <EmployerFields values={values} isNew isInUse={false} />
      </ActionForm>
    </ChangeDialog>
  );
}

const COLUMNS: readonly Column<ShownEmployer>[] = [
  { head: "Id", cell: ({ id }) => <code>{id}</code> },
  { head: "Name", isText: true, cell: ({ name }) => name },
  { head: "FEIN", cell: ({ fein }) => <Maybe value={feinWords(fein)} /> },
];
const OWNERS: Column<ShownEmployer> = {
  head: "Owners that may report for it",
  isText: true,
  cell: ({ owners }) => <OwnersInBrief owners={ownerLines(owners)} />,
};

function OwnersInBrief({ owners }: { owners: readonly string[] }) {
  if (owners.length === 0) return <span class="none">nobody</span>;
  const more = owners.length - SHOWN_OWNERS;
  return (
    <span title={owners.join("\n")}>
      {owners.slice(0, SHOWN_OWNERS).join(", ")}
      {more > 0 && ` and ${more} more`}
    </span>
  );
}

function EmployerList({ listed }: { listed: ApiResult<EmployersBody> }) {
  const { session, scope, url } = usePage();
  if (!listed.ok) return <Failed error={listed.error} what="The employers" />;
  const { employers, next_cursor: nextCursor } = listed.body;
  const isStaff = session.owner === null;
  if (employers.length === 0 && !url.searchParams.has("cursor"))
    return (
      <NothingYet
        what={
          isStaff && scope.owner === null
            ? "There is no employer."
            : `No employer is granted to ${session.owner?.id ?? scope.owner?.id}.`
        }
      >
        <p>
          {isStaff
            ? "Add one, or import a list."
            : "Reports are refused with “Could not resolve employer” until Audit1 grants one."}
        </p>
      </NothingYet>
    );
  return (
    <>
      <Table
        caption="Employers, by id"
        columns={isStaff ? [...COLUMNS, OWNERS] : COLUMNS}
        rows={employers}
        href={({ id }) => to.settings({ tab: "employers", employer: id })}
        keyOf={({ id }) => id}
      />
      <Pager
        nextCursor={nextCursor}
        what="employers"
        shown={employers.length}
        words={{ first: "First", next: "Next" }}
      />
    </>
  );
}
