/** The page of one connection, and what is posted to it. */
import type { ShownConnection } from "../../../portal/connections/connection-contract.ts";
import type { Found } from "../../../portal/lookup/lookup-contract.ts";
import { type ApiError, type ApiResult, isTransient } from "../../api.ts";
import type { ConsoleContext } from "../../console-host.ts";
import { noSuch } from "../../not-found.tsx";
import { page, statusOfRefused } from "../../page.tsx";
import { StateBadge } from "../../parts/badge.tsx";
import { History, readHistory } from "../../parts/history.tsx";
import { Heading, Tabs } from "../../parts/panels.tsx";
import { DoneAsNamed, Failed } from "../../parts/states.tsx";
import { Id } from "../../parts/values.tsx";
import { to } from "../../paths.ts";
import type { Employers } from "../setup/who-fields.tsx";
import { ConnectionButtons, ConnectionDialogs } from "./connection-actions.tsx";
import { overviewTab } from "./connection-overview.tsx";
import { requestsTab } from "./connection-requests.tsx";
import { NewSecret, ROTATE, RotateDialog, SecretsTab } from "./connection-secrets.tsx";
import { SettingsTab } from "./connection-settings.tsx";
import { deletedConnection } from "./deleted-connection.tsx";
import type { Outcome } from "./post-outcome.ts";

export interface ConnectionBody {
  connection: ShownConnection;
}

const TABS = [
  { value: "overview", label: "Overview" },
  { value: "requests", label: "Requests" },
  { value: "secrets", label: "Secrets" },
  { value: "settings", label: "Settings" },
  { value: "history", label: "History" },
] as const;

const DONE: Record<string, string> = {
  saved: "Saved. The settings are in force everywhere.",
  unchanged: "There was nothing to save.",
  deactivated: "Deactivated. Every report is refused until the connection is activated again.",
  activated: "Activated. Reports are accepted again.",
};

export async function showConnection(c: ConsoleContext, outcome: Outcome | null): Promise<Response> {
  const id = c.req.param("connection_id") ?? "";
  const api = c.get("api");
  const path = `/connections/${encodeURIComponent(id)}`;
  const found = await api.get<ConnectionBody>(path, { include: "activity" });
  if (!found.ok && found.status === 404) return missing(c, id, outcome);
  if (!found.ok) return failed(c, found);
  const { connection } = found.body;
  const refused = outcome !== null && "refused" in outcome ? outcome : null;
  const hasSecret = outcome !== null && "secret" in outcome;
  return page(
    c,
    {
      title: connection.description ?? "Connection",
      section: "connections",
      charts: true,
      status: refused === null ? 200 : statusOfRefused(refused.refused),
    },
    <>
      <ConnectionHead connection={connection} />
      <ConnectionDialogs
        etag={found.etag}
        refused={refused && { act: refused.act, error: refused.refused.error }}
      />
      {!hasSecret && (
        <RotateDialog etag={found.etag} refused={refused?.act === ROTATE ? refused.refused.error : null} />
      )}
      <Tabs tabs={TABS} />
      {await tabOf(c, found, outcome)}
    </>,
  );
}

function ConnectionHead({ connection }: { connection: ShownConnection }) {
  const { id, description, status, environment } = connection;
  return (
    <>
      <Heading
        title={description ?? "Connection"}
        aside={
          <>
            <StateBadge state={status} />
            {environment === "sandbox" && <span class="environment sandbox">sandbox</span>}
            <Id id={id} />
          </>
        }
        actions={<ConnectionButtons connection={connection} />}
      />
      <DoneAsNamed words={DONE} />
    </>
  );
}

async function tabOf(
  c: ConsoleContext,
  { body: { connection }, etag }: Extract<ApiResult<ConnectionBody>, { ok: true }>,
  outcome: Outcome | null,
) {
  if (outcome !== null && "secret" in outcome)
    return <NewSecret connection={connection} secret={outcome.secret} />;
  const refusal = outcome?.act === "save" && "refused" in outcome ? outcome : null;
  switch (refusal === null ? c.req.query("tab") : "settings") {
    case "requests":
      return requestsTab(c, connection);
    case "secrets":
      return <SecretsTab connection={connection} />;
    case "settings": {
      const employers = await c.get("api").get<Employers>("/employers", {
        owner_type: connection.owner_type,
        owner_id: connection.owner_id,
        limit: 100,
      });
      return (
        <SettingsTab
          connection={connection}
          etag={etag}
          employers={employers}
          typed={refusal?.typed ?? null}
          refused={refusal?.refused.error ?? null}
        />
      );
    }
    case "history":
      return <History found={await readHistory(c, `connection:${connection.id}`)} />;
    default:
      return overviewTab(c, connection);
  }
}

/** The connection is deleted, or there never was one. */
async function missing(c: ConsoleContext, id: string, outcome: Outcome | null): Promise<Response> {
  const found = await c.get("api").get<Found>(`/lookup/${encodeURIComponent(id)}`);
  if (!found.ok && isTransient(found)) return failed(c, found);
  if (found.ok && found.body.kind === "connection") return deletedConnection(c, found.body, outcome);
  return noSuch(c, {
    noun: "connection",
    section: "connections",
    list: { href: to.connections(), label: "Show connections" },
  });
}

function failed(c: ConsoleContext, refused: { status: number; error: ApiError }): Response {
  return page(
    c,
    { title: "Connection", section: "connections", status: statusOfRefused(refused) },
    <Failed error={refused.error} what="The connection" />,
  );
}
