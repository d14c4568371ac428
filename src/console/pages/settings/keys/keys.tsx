/** The tab of API keys: the owner's keys, a new one, and the page of each. */
import type { ShownApiKey } from "../../../../portal/api-keys/api-key-contract.ts";
import type { ApiResult, RefusedCall } from "../../../api.ts";
import type { ConsoleContext } from "../../../console-host.ts";
import { statusOfRefused } from "../../../page.tsx";
import { usePage } from "../../../page-state.ts";
import { AskOwner } from "../../../parts/ask-owner.tsx";
import { StateBadge, sentence } from "../../../parts/badge.tsx";
import { Action } from "../../../parts/dialog.tsx";
import { clearedOf, type Filter, Filters, isFiltered } from "../../../parts/filters.tsx";
import { Heading } from "../../../parts/panels.tsx";
import { Failed, NothingMatches, NothingYet } from "../../../parts/states.tsx";
import { type Column, Pager, Table } from "../../../parts/table.tsx";
import { Time } from "../../../parts/values.tsx";
import { to } from "../../../paths.ts";
import { type SettingsTab, settingsPage } from "../settings-page.tsx";
import { actOnKey, showKey } from "./key-page.tsx";
import {
  CREATE,
  CreatedKey,
  emptyNewKey,
  NewKeyDialog,
  type NewKeyValues,
  newKeyValuesOf,
} from "./new-key.tsx";

const LIMIT = 50;
const FILTERS: readonly Filter[] = [
  {
    name: "inactive",
    label: "State",
    any: "Active",
    options: [{ value: "true", label: "Active and inactive" }],
  },
];

export const keysTab: SettingsTab = {
  show: async (c) => {
    const id = keyIdOf(c);
    return id === null ? showKeys(c, emptyNewKey(c.get("scope").environment), null) : showKey(c, id, null);
  },
  act: async (c, form) => {
    const id = keyIdOf(c);
    if (id !== null) return actOnKey(c, id, form);
    const values = newKeyValuesOf(form);
    if (form.act !== CREATE) return showKeys(c, values, null);
    const created = await c.get("api").send<{ apiKey: ShownApiKey; secret?: string }>("POST", "/api-keys", {
      body: { environment: values.environment, ...(values.plan !== null && { plan: values.plan }) },
      idempotencyKey: values.key,
    });
    if (!created.ok) return showKeys(c, values, created);
    const { apiKey, secret = null } = created.body;
    return settingsPage(c, { title: "New API key" }, <CreatedKey apiKey={apiKey} secret={secret} />);
  },
};

function keyIdOf(c: ConsoleContext): string | null {
  return new URL(c.req.url).searchParams.get("key") || null;
}

interface KeysBody {
  apiKeys: ShownApiKey[];
  next_cursor: string | null;
}

async function showKeys(
  c: ConsoleContext,
  values: NewKeyValues,
  refused: RefusedCall | null,
): Promise<Response> {
  const query = new URL(c.req.url).searchParams;
  const isAnybodys = c.get("session").owner === null && c.get("scope").owner === null;
  const listed = isAnybodys
    ? null
    : await c.get("api").get<KeysBody>("/api-keys", {
        include_inactive: query.get("inactive") === "true" ? "true" : null,
        cursor: query.get("cursor"),
        limit: LIMIT,
      });
  return settingsPage(
    c,
    { title: "API keys", status: refused === null ? 200 : statusOfRefused(refused) },
    <>
      <Heading
        title="API keys"
        actions={
          <Action name={CREATE} unavailable={isAnybodys ? "Choose an owner first." : null}>
            Create API key
          </Action>
        }
      >
        Bearer keys of the developer API. Whoever has one sends reports for its owner and reads what became of
        them.
      </Heading>
      {listed === null ? (
        <AskOwner what="API keys" />
      ) : (
        <>
          <NewKeyDialog values={values} refused={refused?.error ?? null} />
          <KeyList listed={listed} />
        </>
      )}
    </>,
  );
}

const COLUMNS: readonly Column<ShownApiKey>[] = [
  { head: "Key", cell: ({ key }) => <code>{key}</code> },
  { head: "State", cell: ({ is_active }) => <StateBadge state={is_active ? "active" : "inactive"} /> },
  { head: "Environment", cell: ({ environment }) => sentence(environment) },
  { head: "Plan", cell: ({ plan }) => sentence(plan) },
  { head: "Last used", cell: ({ last_used_at: at }) => <Time at={at} /> },
  { head: "Created", cell: ({ created_at: at }) => <Time at={at} /> },
];

function KeyList({ listed }: { listed: ApiResult<KeysBody> }) {
  const { url } = usePage();
  if (!listed.ok) return <Failed error={listed.error} what="The API keys" />;
  const { apiKeys, next_cursor: nextCursor } = listed.body;
  return (
    <>
      <Filters filters={FILTERS} keep={["tab"]} />
      {apiKeys.length > 0 && (
        <>
          <Table
            caption="API keys, newest first"
            columns={COLUMNS}
            rows={apiKeys}
            href={({ id }) => to.settings({ tab: "keys", key: id })}
            keyOf={({ id }) => id}
          />
          <Pager nextCursor={nextCursor} what="keys" shown={apiKeys.length} />
        </>
      )}
      {apiKeys.length === 0 && isFiltered(url, FILTERS) && (
        <NothingMatches clear={clearedOf(url, FILTERS)} what="keys" />
      )}
      {apiKeys.length === 0 && !isFiltered(url, FILTERS) && (
        <NothingYet what="There is no active key.">
          <p>Create one for each system that calls the developer API, so that each can be shut out alone.</p>
        </NothingYet>
      )}
    </>
  );
}
