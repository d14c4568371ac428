/** The page of one API key: what it is, what was sent with it, and shutting it out. */
import type { ShownApiKey } from "../../../../portal/api-keys/api-key-contract.ts";
import type { ApiResult } from "../../../api.ts";
import type { ConsoleContext } from "../../../console-host.ts";
import { noSuch } from "../../../not-found.tsx";
import { statusOfRefused } from "../../../page.tsx";
import { usePage } from "../../../page-state.ts";
import { StateBadge, sentence } from "../../../parts/badge.tsx";
import { Action } from "../../../parts/dialog.tsx";
import { ButtonLink } from "../../../parts/link.tsx";
import { Facts, Heading, Notice, Panel } from "../../../parts/panels.tsx";
import { PLAN_WORDS } from "../../../parts/plan-words.ts";
import { DoneAsNamed, Failed } from "../../../parts/states.tsx";
import { Id, Instant, Time } from "../../../parts/values.tsx";
import { changed, to } from "../../../paths.ts";
import { RequestList, readRequests } from "../../requests/request-list.tsx";
import type { RequestsBody } from "../../requests/request-table.tsx";
import { type RefusedForm, settingsPage } from "../settings-page.tsx";
import { isErased, KEY_ACTS, type KeyAct, KeyDialogs } from "./key-dialogs.tsx";

interface KeyBody {
  apiKey: ShownApiKey;
}

export async function showKey(c: ConsoleContext, id: string, refused: RefusedForm | null): Promise<Response> {
  const path = `/api-keys/${encodeURIComponent(id)}`;
  const [found, requests] = await Promise.all([
    c.get("api").get<KeyBody>(path),
    readRequests(c, `${path}/requests`),
  ]);
  if (!found.ok && found.status === 404)
    return noSuch(c, {
      noun: "API key",
      section: "settings",
      list: { href: to.settings({ tab: "keys" }), label: "All API keys" },
    });
  if (!found.ok)
    return settingsPage(
      c,
      { title: "API key", status: statusOfRefused(found) },
      <Failed error={found.error} what="The API key" />,
    );
  return settingsPage(
    c,
    {
      title: `API key ${found.body.apiKey.key}`,
      status: refused === null ? 200 : statusOfRefused(refused.call),
    },
    <KeyPage found={found} requests={requests} refused={refused} />,
  );
}

/** Changes the key as the form says, and leads back to its page. */
export async function actOnKey(
  c: ConsoleContext,
  id: string,
  form: Record<string, string>,
): Promise<Response> {
  const act = KEY_ACTS.find((each) => each === form.act);
  if (act === undefined) return showKey(c, id, null);
  const call = await send(c, `/api-keys/${encodeURIComponent(id)}`, act, form);
  if (!call.ok) return showKey(c, id, { act, form, call });
  return c.redirect(changed(new URL(c.req.url), { do: null, done: act }), 303);
}

function send(
  c: ConsoleContext,
  path: string,
  act: KeyAct,
  form: Record<string, string>,
): Promise<ApiResult<unknown>> {
  const api = c.get("api");
  const ifMatch = form.etag ?? null;
  switch (act) {
    case "enable":
      return api.send("PATCH", path, { body: { is_active: true }, ifMatch });
    case "plan":
      return api.send("PATCH", path, { body: { plan: form.plan }, ifMatch });
    case "deactivate":
      return api.send("DELETE", path, { ifMatch });
    case "erase":
      return api.send("DELETE", path, { query: { erase: "true" }, ifMatch });
    case "keep":
      return api.send("DELETE", path, { query: { erase: "false" }, ifMatch });
  }
}

const DONE: Record<KeyAct, string> = {
  enable: "The key is enabled: requests with it are accepted again.",
  plan: "The plan has changed, and is in force everywhere.",
  deactivate: "The key is deactivated: requests with it are refused everywhere.",
  erase: "The key is deactivated, and what was sent with it will be erased.",
  keep: "The erasure is cancelled. The key stays inactive until you enable it.",
};

interface KeyPageProps {
  found: Extract<ApiResult<KeyBody>, { ok: true }>;
  requests: ApiResult<RequestsBody>;
  refused: RefusedForm | null;
}

function KeyPage({ found, requests, refused }: KeyPageProps) {
  const { session } = usePage();
  const { apiKey } = found.body;
  return (
    <>
      <Heading
        title="API key"
        aside={
          <>
            <StateBadge state={apiKey.is_active ? "active" : "inactive"} />
            <code>{apiKey.key}</code>
          </>
        }
        actions={<KeyActions apiKey={apiKey} />}
      />
      {refused === null && <DoneAsNamed words={DONE} />}
      <ErasureNotice apiKey={apiKey} />
      <KeyDialogs apiKey={apiKey} etag={found.etag} refused={refused} />
      <Facts
        facts={[
          ["Id", <Id id={apiKey.id} whole />],
          ["Owner", session.owner === null ? `${apiKey.owner_type}/${apiKey.owner_id}` : null],
          ["Environment", sentence(apiKey.environment)],
          ["Plan", PLAN_WORDS[apiKey.plan]],
          ["Last used", <Time at={apiKey.last_used_at} />],
          ["Created", <Instant at={apiKey.created_at} />],
        ]}
      />
      <Panel title="Reports sent with it" aside={<span class="quiet">the last 30 days</span>}>
        <RequestList
          read={requests}
          keep={["tab", "key"]}
          nothing="No report has been sent with this key. Reads with the key, such as of a file's status, are not listed."
        />
      </Panel>
    </>
  );
}

function KeyActions({ apiKey }: { apiKey: ShownApiKey }) {
  const { session, now } = usePage();
  const isSet = apiKey.erase_at !== null;
  return (
    <>
      <ButtonLink href={to.reports({ sender: apiKey.id })}>Reports</ButtonLink>
      {session.owner === null && <Action name="plan">Change plan</Action>}
      {isSet && !isErased(apiKey, now) && <Action name="keep">Cancel erasure</Action>}
      {apiKey.is_active ? (
        <Action name="deactivate" danger>
          Deactivate key
        </Action>
      ) : (
        <Action name="enable" unavailable={whyNotEnabled(apiKey, now)}>
          Enable key
        </Action>
      )}
      {!isSet && (
        <Action name="erase" danger>
          Erase reports
        </Action>
      )}
    </>
  );
}

function whyNotEnabled(apiKey: ShownApiKey, now: number): string | null {
  if (apiKey.erase_at === null) return null;
  return isErased(apiKey, now)
    ? "What was sent with it has been erased. Create another key."
    : "What was sent with it is about to be erased. Cancel the erasure first.";
}

function ErasureNotice({ apiKey }: { apiKey: ShownApiKey }) {
  const { now } = usePage();
  const { erase_at: at } = apiKey;
  if (at === null) return null;
  if (isErased(apiKey, now))
    return (
      <Notice meaning="warning">
        <p>
          What was sent with this key was erased on <Instant at={at} />. Counts and times are kept.
        </p>
      </Notice>
    );
  return (
    <Notice meaning="bad">
      <p>
        <strong>
          What was sent with this key will be erased on <Instant at={at} />.
        </strong>{" "}
        Until then the erasure can be cancelled.
      </p>
    </Notice>
  );
}
