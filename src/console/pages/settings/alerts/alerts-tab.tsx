/** The tab of alerts: where they are sent, and all that were ever opened, with who looks after each. */
import type { AlertAnswer, ShownAlertSettings } from "../../../../portal/alerts/alert-contract.ts";
import type { ApiResult } from "../../../api.ts";
import type { ConsoleContext } from "../../../console-host.ts";
import { statusOfRefused } from "../../../page.tsx";
import { usePage } from "../../../page-state.ts";
import { StateBadge, sentence } from "../../../parts/badge.tsx";
import { clearedOf, type Filter, Filters, isFiltered } from "../../../parts/filters.tsx";
import { Heading, Panel } from "../../../parts/panels.tsx";
import { Done, Failed, NothingMatches, NothingYet, Refused } from "../../../parts/states.tsx";
import { type Column, Pager, Table } from "../../../parts/table.tsx";
import { Maybe, Time } from "../../../parts/values.tsx";
import { changed } from "../../../paths.ts";
import { RUNBOOK } from "../../../runbook.ts";
import { Acknowledgement, Subject } from "../../now/alerts.tsx";
import { type RefusedForm, type SettingsTab, settingsPage } from "../settings-page.tsx";
import { AlertTargets } from "./alert-targets.tsx";

const LIMIT = 50;
const ACKNOWLEDGE = "acknowledge";

const FILTERS: readonly Filter[] = [
  {
    name: "status",
    label: "State",
    options: [
      { value: "open", label: "Open" },
      { value: "resolved", label: "Resolved" },
    ],
  },
  {
    name: "kind",
    label: "Kind",
    options: Object.keys(RUNBOOK).map((value) => ({ value, label: sentence(value) })),
  },
];

interface AlertsBody {
  alerts: AlertAnswer[];
  next_cursor: string | null;
}

export const alertsTab: SettingsTab = {
  show: (c) => showAlerts(c, null),
  act: async (c, form) => {
    if (form.do !== ACKNOWLEDGE) return showAlerts(c, null);
    const path = `/alerts/${encodeURIComponent(form.alert ?? "")}/acknowledge`;
    const call = await c.get("api").send("POST", path);
    if (!call.ok) return showAlerts(c, { act: ACKNOWLEDGE, form, call });
    return c.redirect(changed(new URL(c.req.url), { done: ACKNOWLEDGE }), 303);
  },
};

async function showAlerts(c: ConsoleContext, refused: RefusedForm | null): Promise<Response> {
  const query = new URL(c.req.url).searchParams;
  const isEverybodys = c.get("session").owner === null && c.get("scope").owner === null;
  const api = c.get("api");
  const [listed, settings] = await Promise.all([
    api.get<AlertsBody>("/alerts", {
      status: query.get("status"),
      kind: query.get("kind"),
      cursor: query.get("cursor"),
      limit: LIMIT,
    }),
    isEverybodys ? api.get<{ alert_settings: ShownAlertSettings }>("/alert-settings") : null,
  ]);
  const isDone = refused === null && query.get("done") === ACKNOWLEDGE;
  return settingsPage(
    c,
    { title: "Alerts", status: refused === null ? 200 : statusOfRefused(refused.call) },
    <>
      <Heading title="Alerts">
        One alert for each condition that lasts. It resolves by itself, and is kept for 90 days after that.
      </Heading>
      {isDone && <Done>Acknowledged: others see that you look after it.</Done>}
      {refused !== null && <Refused error={refused.call.error} what="The alert was not acknowledged." />}
      <Filters filters={FILTERS} keep={["tab"]} />
      <AlertList listed={listed} />
      <Targets settings={settings} />
    </>,
  );
}

/** `settings` is null for those who may not read them. */
function Targets({ settings }: { settings: ApiResult<{ alert_settings: ShownAlertSettings }> | null }) {
  const { session } = usePage();
  if (settings !== null)
    return (
      <Panel title="Where alerts are sent" id="targets">
        {settings.ok ? (
          <AlertTargets settings={settings.body.alert_settings} />
        ) : (
          <Failed error={settings.error} what="The settings" />
        )}
      </Panel>
    );
  if (session.owner === null) return null;
  return (
    <Panel title="Where alerts are sent" id="targets">
      <p>
        Alerts about a connection are mailed to its notification address, or to Audit1 if it has none. About a
        failing webhook, its own notification address gets mails.
      </p>
    </Panel>
  );
}

const COLUMNS: readonly Column<AlertAnswer>[] = [
  { head: "Alert", isText: true, cell: ({ title }) => title },
  { head: "State", cell: ({ status }) => <StateBadge state={status} /> },
  { head: "About", cell: (alert) => <Subject alert={alert} /> },
  { head: "Opened", cell: ({ opened_at: at }) => <Time at={at} /> },
  {
    head: "Resolved",
    cell: ({ resolved_at: at }) => (at === null ? <Maybe value={null} /> : <Time at={at} />),
  },
  {
    head: "Looked after by",
    cell: (alert) =>
      alert.status === "open" || alert.acknowledged_at !== null ? (
        <Acknowledgement alert={alert} />
      ) : (
        <span class="none">nobody</span>
      ),
  },
];

function AlertList({ listed }: { listed: ApiResult<AlertsBody> }) {
  const { url } = usePage();
  if (!listed.ok) return <Failed error={listed.error} what="The alerts" />;
  const { alerts, next_cursor: nextCursor } = listed.body;
  if (alerts.length === 0)
    return isFiltered(url, FILTERS) ? (
      <NothingMatches clear={clearedOf(url, FILTERS)} what="alerts" />
    ) : (
      <NothingYet what="No alert was opened in the last 90 days." />
    );
  return (
    <>
      <Table caption="Alerts, newest first" columns={COLUMNS} rows={alerts} keyOf={({ id }) => id} />
      <Pager nextCursor={nextCursor} what="alerts" shown={alerts.length} />
    </>
  );
}
