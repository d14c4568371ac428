/** The page of one employer: who may report for it. Only staff change it. */
import type { ShownEmployer } from "../../../../portal/employers/employer-contract.ts";
import type { ApiResult } from "../../../api.ts";
import type { ConsoleContext } from "../../../console-host.ts";
import { noSuch } from "../../../not-found.tsx";
import { statusOfRefused } from "../../../page.tsx";
import { usePage } from "../../../page-state.ts";
import { sentence } from "../../../parts/badge.tsx";
import { Action, ActionForm } from "../../../parts/dialog.tsx";
import { ButtonLink, Link } from "../../../parts/link.tsx";
import { Facts, Heading, Notice, Panel } from "../../../parts/panels.tsx";
import { DoneAsNamed, Failed } from "../../../parts/states.tsx";
import { Table } from "../../../parts/table.tsx";
import { Id, Maybe } from "../../../parts/values.tsx";
import { changed, to } from "../../../paths.ts";
import { ChangeDialog, type RefusedForm, settingsPage } from "../settings-page.tsx";
import { EmployerFields } from "./employer-fields.tsx";
import {
  employerBodyOf,
  employerValuesOf,
  feinWords,
  ownerLines,
  valuesOfEmployer,
} from "./employer-values.ts";

const CHANGE = "change";
const DONE: Record<string, string> = {
  create: "The employer was added. Its owners may report for it within a minute.",
  change: "The employer was changed. Its grants hold everywhere within a minute.",
};

type Found = ApiResult<{ employer: ShownEmployer }>;

export async function showEmployer(
  c: ConsoleContext,
  id: string,
  refused: RefusedForm | null,
): Promise<Response> {
  // Staff see and change all grants, whichever owner they look at.
  const path = `/employers/${encodeURIComponent(id)}`;
  const found: Found = await c.get("api").send("GET", path, { scoped: false });
  if (!found.ok && found.status === 404)
    return noSuch(c, {
      noun: "employer",
      section: "settings",
      list: { href: to.settings({ tab: "employers" }), label: "All employers" },
    });
  if (!found.ok)
    return settingsPage(
      c,
      { title: "Employer", status: statusOfRefused(found) },
      <Failed error={found.error} what="The employer" />,
    );
  const { employer } = found.body;
  return settingsPage(
    c,
    {
      title: `Employer ${employer.name}`,
      status: refused === null ? 200 : statusOfRefused(refused.call),
    },
    <EmployerPage employer={employer} etag={found.etag} refused={refused} />,
  );
}

/** Changes the employer as the form says, and leads back to its page. */
export async function actOnEmployer(
  c: ConsoleContext,
  id: string,
  form: Record<string, string>,
): Promise<Response> {
  if (form.act !== CHANGE) return showEmployer(c, id, null);
  const call = await c.get("api").send("PUT", `/employers/${encodeURIComponent(id)}`, {
    body: employerBodyOf(employerValuesOf(form)),
    // Without the version that it was read at, it must exist all the same.
    ifMatch: form.etag || "*",
    scoped: false,
  });
  if (!call.ok) return showEmployer(c, id, { act: CHANGE, form, call });
  return c.redirect(changed(new URL(c.req.url), { do: null, done: CHANGE }), 303);
}

interface EmployerPageProps {
  employer: ShownEmployer;
  etag: string | null;
  refused: RefusedForm | null;
}

function EmployerPage({ employer, etag, refused }: EmployerPageProps) {
  const { session } = usePage();
  const isStaff = session.owner === null;
  return (
    <>
      <Heading
        title={employer.name}
        aside={<Id id={employer.id} whole />}
        actions={
          isStaff && (
            <>
              <ButtonLink href={to.settings({ tab: "audit", subject: `employer:${employer.id}` })}>
                History
              </ButtonLink>
              <Action name={CHANGE}>Change employer</Action>
            </>
          )
        }
      />
      {refused === null && <DoneAsNamed words={DONE} />}
      {isStaff && <ChangeEmployer employer={employer} etag={etag} refused={refused} />}
      <Facts facts={[["FEIN", <Maybe value={feinWords(employer.fein)} />]]} />
      <Owners employer={employer} />
    </>
  );
}

function ChangeEmployer({ employer, etag, refused }: EmployerPageProps) {
  const values = refused === null ? valuesOfEmployer(employer) : employerValuesOf(refused.form);
  const isInUse = values.force || refused?.call.error.error === "employer_in_use";
  return (
    <ChangeDialog
      name={CHANGE}
      title="Change this employer"
      refused={refused}
      overtaken={<Overtaken employer={employer} />}
    >
      <ActionForm
        hidden={{ act: CHANGE, ...(etag !== null && { etag }) }}
        submit="Change employer"
        busy="Changing…"
      >
        <EmployerFields values={values} isNew={false} isInUse={isInUse} />
      </ActionForm>
    </ChangeDialog>
  );
}

function Overtaken({ employer: { name, fein, owners } }: { employer: ShownEmployer }) {
  return (
    <Notice meaning="warning">
      <p>
        <strong>Somebody has changed the employer since you opened this.</strong> Nothing was changed now.
        Below is what you typed; sent again, it replaces what is in force:
      </p>
      <Facts
        facts={[
          ["Name", name],
          ["FEIN", <Maybe value={feinWords(fein)} />],
          ["Owners", <Maybe value={ownerLines(owners).join(", ")} />],
        ]}
      />
    </Notice>
  );
}

function Owners({ employer: { owners, id } }: { employer: ShownEmployer }) {
  const { session } = usePage();
  if (session.owner !== null)
    return (
      <p>
        You may report for it: name it in reports as <code>{id}</code> or by its FEIN, or bind a connection to
        it. <Link href={to.connections({ employer_id: id })}>Connections that are bound to it</Link>
      </p>
    );
  return (
    <Panel title="Owners that may report for it">
      {owners.length === 0 ? (
        <p class="quiet">None. Reports for it are refused until an owner is granted it.</p>
      ) : (
        <Table
          caption="Owners"
          columns={[
            { head: "Owner", cell: ({ owner_id }: (typeof owners)[number]) => owner_id },
            { head: "Type", cell: ({ owner_type }: (typeof owners)[number]) => sentence(owner_type) },
          ]}
          rows={owners}
          href={({ owner_type, owner_id }) =>
            to.connections({ owner: `${owner_type}/${owner_id}`, employer_id: id })
          }
        />
      )}
    </Panel>
  );
}
