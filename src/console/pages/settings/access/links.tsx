/** The tab of portal links: which let whom into the console, how one is made, and revoking one. */
import type { ShownLink } from "../../../../portal/sessions/portal-link-contract.ts";
import type { ApiResult } from "../../../api.ts";
import type { ConsoleContext } from "../../../console-host.ts";
import { statusOfRefused } from "../../../page.tsx";
import { usePage } from "../../../page-state.ts";
import { Badge, StateBadge } from "../../../parts/badge.tsx";
import { Action, ActionForm } from "../../../parts/dialog.tsx";
import { clearedOf, Filters, isFiltered } from "../../../parts/filters.tsx";
import { useChanged } from "../../../parts/link.tsx";
import { Code, Facts, Heading, Panel } from "../../../parts/panels.tsx";
import { Done, Failed, NothingMatches, NothingYet } from "../../../parts/states.tsx";
import { type Column, Pager, Table } from "../../../parts/table.tsx";
import { Id, Instant, Time } from "../../../parts/values.tsx";
import { changed } from "../../../paths.ts";
import { ChangeDialog, type RefusedForm, type SettingsTab, settingsPage } from "../settings-page.tsx";
import { endedFilter, listQueryOf, mayWords, namedIn, OwnerOf, PersonOf, REVOKE } from "./access-parts.tsx";

const FILTERS = endedFilter({ any: "Open", all: "Open and ended" });

interface LinksBody {
  portal_links: ShownLink[];
  next_cursor: string | null;
}

type Named = ApiResult<{ portal_link: ShownLink }>;

export const linksTab: SettingsTab = {
  show: (c) => showLinks(c, null),
  act: async (c, form) => {
    const { act, link = "" } = form;
    if (act !== REVOKE) return showLinks(c, null);
    const call = await c.get("api").send("DELETE", `/portal-links/${encodeURIComponent(link)}`);
    if (!call.ok) return showLinks(c, { act, form, call });
    return c.redirect(changed(new URL(c.req.url), { do: null, link: null, done: REVOKE }), 303);
  },
};

async function showLinks(c: ConsoleContext, refused: RefusedForm | null): Promise<Response> {
  const api = c.get("api");
  const id = namedIn(c, "link");
  const [listed, named] = await Promise.all([
    api.get<LinksBody>("/portal-links", listQueryOf(c)),
    id === null ? null : api.get<{ portal_link: ShownLink }>(`/portal-links/${encodeURIComponent(id)}`),
  ]);
  const failed = refused?.call ?? (named?.ok === false ? named : null);
  const isDone = new URL(c.req.url).searchParams.get("done") === REVOKE && refused === null;
  return settingsPage(
    c,
    { title: "Portal links", status: failed === null ? 200 : statusOfRefused(failed) },
    <>
      <Heading
        title="Portal links"
        actions={
          <Action name="create" unavailable="A session makes no links. Below is how one is made.">
            Create link
          </Action>
        }
      >
        A link lets one person into this console, once, with an owner's data only. Its address is shown when
        it is made, and never again.
      </Heading>
      {isDone && <Done>Revoked: the link lets nobody in, and whoever came in by it is signed out.</Done>}
      {named !== null && <RevokeDialog named={named} refused={refused} />}
      <LinkList listed={listed} />
      <HowMade />
    </>,
  );
}

/** An open link waits for its person. An open alert is something else. */
function LinkState({ status }: Pick<ShownLink, "status">) {
  return status === "open" ? <Badge meaning="waiting">Open</Badge> : <StateBadge state={status} />;
}

function columnsOf(isStaff: boolean): Column<ShownLink>[] {
  return [
    { head: "For", cell: ({ person }) => <PersonOf person={person} /> },
    {
      head: "State",
      cell: ({ status, reusable }) => (
        <>
          <LinkState status={status} />
          {reusable && <span class="quiet"> reusable</span>}
        </>
      ),
    },
    { head: "May", cell: ({ capabilities }) => mayWords(capabilities) },
    ...(isStaff
      ? [{ head: "Of", cell: (row: ShownLink) => <OwnerOf row={row} /> } satisfies Column<ShownLink>]
      : []),
    { head: "Leads to", wide: true, isText: true, cell: ({ next }) => <code>{next}</code> },
    { head: "Created", cell: ({ created_at: at }) => <Time at={at} /> },
    { head: "Ends", cell: ({ expires_at: at }) => <Time at={at} /> },
    { head: "Opened", cell: ({ used_at: at }) => <Time at={at} /> },
  ];
}

function LinkList({ listed }: { listed: ApiResult<LinksBody> }) {
  const { url, session } = usePage();
  const change = useChanged();
  if (!listed.ok) return <Failed error={listed.error} what="The portal links" />;
  const { portal_links: links, next_cursor: nextCursor } = listed.body;
  return (
    <>
      <Filters filters={FILTERS} keep={["tab"]} />
      {links.length > 0 && (
        <>
          <Table
            caption="Portal links, newest first"
            columns={columnsOf(session.owner === null)}
            rows={links}
            href={({ id }) => change({ do: REVOKE, link: id, done: null })}
            keyOf={({ id }) => id}
          />
          <Pager nextCursor={nextCursor} what="links" shown={links.length} />
        </>
      )}
      {links.length === 0 &&
        (isFiltered(url, FILTERS) || url.searchParams.has("cursor") ? (
          <NothingMatches clear={clearedOf(url, FILTERS)} what="links" />
        ) : (
          <NothingYet what="No link is open. Links that were used or have expired are kept for 30 days." />
        ))}
    </>
  );
}

function RevokeDialog({ named, refused }: { named: Named; refused: RefusedForm | null }) {
  if (!named.ok)
    return (
      <ChangeDialog name={REVOKE} title="Revoke a link" refused={null}>
        <p>{named.error.message}</p>
      </ChangeDialog>
    );
  const link = named.body.portal_link;
  const { id, person, status } = link;
  return (
    <ChangeDialog
      name={REVOKE}
      title={person === null ? "Portal link" : `Link for ${person}`}
      refused={refused}
      facts={
        <Facts
          facts={[
            ["State", <LinkState status={status} />],
            ["May", mayWords(link.capabilities)],
            ["Of", <OwnerOf row={link} />],
            ["Leads to", <code>{link.next}</code>],
            ["Created", <Instant at={link.created_at} />],
            ["Ends by itself", <Instant at={link.expires_at} />],
            ["Opened", link.used_at === null ? "Never" : <Instant at={link.used_at} />],
            ["Link", <Id id={id} />],
          ]}
        />
      }
    >
      {status !== "revoked" && (
        <>
          <p>
            Revoked, the link lets nobody in any more, and every session that it made ends at once. This
            cannot be undone; another link can be made.
          </p>
          <ActionForm hidden={{ act: REVOKE, link: id }} submit="Revoke link" danger busy="Revoking…" />
        </>
      )}
    </ChangeDialog>
  );
}

function HowMade() {
  const { session, scope, url } = usePage();
  const owner = session.owner ?? scope.owner ?? { type: "payroll_company", id: "acme" };
  const body = JSON.stringify({
    owner_type: owner.type,
    owner_id: owner.id,
    capabilities: "view",
    person: "jo@example.com",
  });
  return (
    <Panel title="How a link is made" id="how">
      <p>
        By a system that has credentials of the portal, such as the portal itself when somebody follows its
        link to this console. Who is signed in here makes none, so that nobody who was let in lets others in.
        The answer has the address in <code>url</code>: send the person there, and nobody else.
      </p>
      <Code
        text={[
          `curl -X POST '${url.origin}/api/v1/portal-links'`,
          `-H "X-Client-ID: $AUDIT1_CLIENT_ID"`,
          `-H "X-Client-Secret: $AUDIT1_CLIENT_SECRET"`,
          "-H 'Content-Type: application/json'",
          `-d '${body}'`,
        ].join(" \\\n  ")}
        what="command"
        label="For somebody who may look. With manage in place of view, the person may change things, too:"
      />
      {session.owner === null && (
        <p class="quiet">People of Audit1 need no link: Cloudflare Access lets them in at /console/staff.</p>
      )}
    </Panel>
  );
}
