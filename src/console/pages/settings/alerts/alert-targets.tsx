/** Where alerts are sent, with the names of the settings. They are changed by a deployment, never here. */
import type { ShownAlertSettings } from "../../../../portal/alerts/alert-contract.ts";
import { Badge } from "../../../parts/badge.tsx";
import { Table } from "../../../parts/table.tsx";
import { Maybe } from "../../../parts/values.tsx";

interface Setting {
  name: string;
  what: string;
  status: ShownAlertSettings["webhook"]["status"];
  value: string | null;
}

export function AlertTargets({ settings: { mail, webhook } }: { settings: ShownAlertSettings }) {
  const statusOf = (value: string | null) => (value === null ? "unusable" : "set");
  const rows: Setting[] = [
    { name: "EMAIL_FROM", what: "Sender of mails", status: statusOf(mail.from), value: mail.from },
    {
      name: "OPERATORS_EMAIL",
      what: "Who gets mails, unless a connection has an address of its own",
      status: statusOf(mail.operators),
      value: mail.operators,
    },
    {
      name: "OPERATORS_WEBHOOK_URL",
      what: "Where gateway.alert.opened and gateway.alert.resolved are posted",
      status: webhook.status,
      value: webhook.url,
    },
    {
      name: "OPERATORS_WEBHOOK_SECRET",
      what: "Signs these posts, as every webhook is signed. Never shown",
      status: webhook.status,
      value: null,
    },
  ];
  return (
    <>
      <Table
        caption="Settings of alerts"
        columns={[
          { head: "Setting", cell: ({ name }: Setting) => <code>{name}</code> },
          { head: "State", cell: ({ status }: Setting) => <Status status={status} /> },
          { head: "Value", cell: ({ value }: Setting) => <Maybe value={value} /> },
          { head: "What it is", isText: true, cell: ({ what }: Setting) => what },
        ]}
        rows={rows}
      />
      <p class="quiet">
        They are changed with the next deployment: variables in <code>wrangler.toml</code>, the secret with{" "}
        <code>wrangler secret put</code>. While the webhook cannot be used, its events wait, for a week at
        most.
      </p>
    </>
  );
}

function Status({ status }: Pick<Setting, "status">) {
  if (status === "set") return <Badge meaning="good">Set</Badge>;
  if (status === "unset") return <Badge meaning="off">Not set</Badge>;
  return <Badge meaning="bad">Cannot be used: see the log</Badge>;
}
