/** The tab of sessions: who is signed in to the console, and signing somebody out. */
import type { ShownSession } from "../../../../portal/sessions/session-contract.ts";
import type { ApiResult, RefusedCall } from "../../../api.ts";
import type { ConsoleContext } from "../../../console-host.ts";
import { statusOfRefused } from "../../../page.tsx";
import { usePage } from "../../../page-state.ts";
import { StateBadge } from "../../../parts/badge.tsx";
import { ActionForm } from "../../../parts/dialog.tsx";
import { clearedOf, Filters, isFiltered } from "../../../parts/filters.tsx";
import { useChanged } from "../../../parts/link.tsx";
import { Facts, Heading } from "../../../parts/panels.tsx";
import { Done, Failed, NothingMatches, NothingYet } from "../../../parts/states.tsx";
import { type Column, Pager, Table } from "../../../parts/table.tsx";
import { Id, Instant, Time } from "../../../parts/values.tsx";
import { changed } from "../../../paths.ts";
import { ChangeDialog, type RefusedForm, type SettingsTab, settingsPage } from "../settings-page.tsx";
import { endedFilter, listQueryOf, mayWords, namedIn, OwnerOf, PersonOf, REVOKE } from "./access-parts.tsx";

const FILTERS = endedFilter({ any: "Signed in", all: "Signed in and ended" });

interface SessionsBody {
  sessions: ShownSession[];
  next_cursor: string | null;
}

type Named = ApiResult<{ session: ShownSession }>;

export const sessionsTab: SettingsTab = {
  show: (c) => showSessions(c, null),
  act: async (c, form) => {
    const { act, session = "" } = form;
    if (act !== REVOKE) return showSessions(c, null);
    const call = await c.get("api").send("DELETE", `/sessions/${encodeURIComponent(session)}`);
    if (!call.ok) return showSessions(c, { act, form, call });
    return c.redirect(changed(new URL(c.req.url), { do: null, session: null, done: REVOKE }), 303);
  },
};

async function showSessions(c: ConsoleContext, refused: RefusedForm | null): Promise<Response> {
  const api = c.get("api");
  const id = namedIn(c, "session");
  const [listed, named] = await Promise.all([
    api.get<SessionsBody>("/sessions", listQueryOf(c)),
    id === null ? null : api.get<{ session: ShownSession }>(`/sessions/${encodeURIComponent(id)}`),
  ]);
  const missing: RefusedCall | null = named?.ok === false ? named : null;
  const failed = refused?.call ?? missing;
  return settingsPage(
    c,
    { title: "Sessions", status: failed === null ? 200 : statusOfRefused(failed) },
    <Sessions listed={listed} named={named} refused={refused} />,
  );
}

interface SessionsProps {
  listed: ApiResult<SessionsBody>;
  /** The session that the dialog is about. */
  named: Named | null;
  refused: RefusedForm | null;
}

function Sessions({ listed, named, refused }: SessionsProps) {
  const { url, session } = usePage();
  return (
    <>
      <Heading title="Sessions">
        {session.owner === null
          ? "Who is signed in to the console. People of Audit1 come in through Cloudflare Access, for an hour; people of owners by a portal link, for eight."
          : "Who of yours is signed in to the console: each came in by a portal link, for eight hours."}
      </Heading>
      {url.searchParams.get("done") === REVOKE && refused === null && (
        <Done>Revoked: the person is signed out.</Done>
      )}
      {named !== null && <RevokeDialog named={named} refused={refused} />}
      <SessionList listed={listed} />
    </>
  );
}

function columnsOf(ownId: string, isStaff: boolean): Column<ShownSession>[] {
  return [
    {
      head: "Person",
      cell: ({ id, person }) => (
        <>
          <PersonOf person={person} />
          {id === ownId && <span class="quiet"> (this session)</span>}
        </>
      ),
    },
    { head: "State", cell: ({ status }) => <StateBadge state={status} /> },
    { head: "May", cell: ({ capabilities }) => mayWords(capabilities) },
    ...(isStaff
      ? [{ head: "Of", cell: (row: ShownSession) => <OwnerOf row={row} /> } satisfies Column<ShownSession>]
      : []),
    { head: "Signed in", cell: ({ created_at: at }) => <Time at={at} /> },
    { head: "Ends", cell: ({ expires_at, revoked_at }) => <Time at={revoked_at ?? expires_at} /> },
  ];
}

function SessionList({ listed }: { listed: ApiResult<SessionsBody> }) {
  const { url, session } = usePage();
  const change = useChanged();
  if (!listed.ok) return <Failed error={listed.error} what="The sessions" />;
  const { sessions, next_cursor: nextCursor } = listed.body;
  return (
    <>
      <Filters filters={FILTERS} keep={["tab"]} />
      {sessions.length > 0 && (
        <>
          <Table
            caption="Sessions, newest first"
            columns={columnsOf(session.id, session.owner === null)}
            rows={sessions}
            href={({ id }) => change({ do: REVOKE, session: id, done: null })}
            keyOf={({ id }) => id}
          />
          <Pager nextCursor={nextCursor} what="sessions" shown={sessions.length} />
        </>
      )}
      {sessions.length === 0 &&
        (isFiltered(url, FILTERS) || url.searchParams.has("cursor") ? (
          <NothingMatches clear={clearedOf(url, FILTERS)} what="sessions" />
        ) : (
          <NothingYet what="Nobody of this owner is signed in." />
        ))}
    </>
  );
}

function RevokeDialog({ named, refused }: { named: Named; refused: RefusedForm | null }) {
  const { session } = usePage();
  if (!named.ok)
    return (
      <ChangeDialog name={REVOKE} title="Revoke a session" refused={null}>
        <p>{named.error.message}</p>
      </ChangeDialog>
    );
  const { id, person, capabilities, status, created_at: since, expires_at: ends } = named.body.session;
  const link = named.body.session.portal_link_id;
  return (
    <ChangeDialog
      name={REVOKE}
      title={person === null ? "Session" : `Session of ${person}`}
      refused={refused}
      facts={
        <Facts
          facts={[
            ["State", <StateBadge state={status} />],
            ["May", mayWords(capabilities)],
            ["Of", <OwnerOf row={named.body.session} />],
            ["Came in by", link === null ? "Cloudflare Access" : <Id id={link} />],
            ["Signed in", <Instant at={since} />],
            [
              status === "active" ? "Ends by itself" : "Ended",
              <Instant at={named.body.session.revoked_at ?? ends} />,
            ],
            ["Session", <Id id={id} />],
          ]}
        />
      }
    >
      {status === "active" && (
        <>
          <p>
            {id === session.id
              ? "This is your own session. Revoked, you are signed out at once, and need another link to come back."
              : "Revoked, the person is signed out at once, in all windows. A link that is still open lets the person in again: revoke it, too."}
          </p>
          <ActionForm hidden={{ act: REVOKE, session: id }} submit="Revoke session" danger busy="Revoking…" />
        </>
      )}
    </ChangeDialog>
  );
}
