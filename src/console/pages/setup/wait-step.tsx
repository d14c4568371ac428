/** The fifth step: what has arrived, as it arrives. A refused try says why, an accepted one is followed until it is completed. */
import type { ShownConnection } from "../../../portal/connections/connection-contract.ts";
import type { ShownRequest } from "../../../portal/requests/request-contract.ts";
import { StateBadge } from "../../parts/badge.tsx";
import { reasonOf } from "../../parts/diagnosis.tsx";
import { ButtonLink, Link } from "../../parts/link.tsx";
import { Code, Live, Panel } from "../../parts/panels.tsx";
import { Prose } from "../../parts/prose.tsx";
import { Failed } from "../../parts/states.tsx";
import { type Column, Table } from "../../parts/table.tsx";
import { Maybe, number, Time } from "../../parts/values.tsx";
import { to } from "../../paths.ts";
import { Arrival, type Arrived, type Requests } from "./arrival.tsx";
import { StepPage, stepAddress } from "./steps.tsx";

/** A try is noted within a second, and must be seen within three. */
const REFRESHED_EVERY_S = 1;
/** A try after the first report was completed is still seen within three seconds. */
const REFRESHED_LATER_EVERY_S = 2;

export function WaitStep({ connection, requests, file }: Arrived) {
  const isCompleted = file.ok && file.body?.summary.status === "completed";
  const seconds = isCompleted ? REFRESHED_LATER_EVERY_S : REFRESHED_EVERY_S;
  return (
    <StepPage step="wait" connection={connection}>
      <Live id="tries" seconds={seconds}>
        <div class="stack">
          <Arrival connection={connection} requests={requests} file={file} />
          {!requests.ok && <Failed error={requests.error} what="The requests" />}
          {requests.ok && <Tries {...requests.body} />}
        </div>
      </Live>
      <noscript>
        <p>
          <ButtonLink href={stepAddress("wait", connection)}>Look again</ButtonLink>
        </p>
      </noscript>
      <NothingAppears connection={connection} />
      <Live id="next" seconds={seconds}>
        <p class="buttons">
          <ButtonLink href={stepAddress("done", connection)} class={isCompleted ? "primary" : ""}>
            {isCompleted ? "Continue" : "Continue without waiting"}
          </ButtonLink>
          <Link href={stepAddress("send", connection)}>Back to the samples</Link>
        </p>
      </Live>
    </StepPage>
  );
}

const COLUMNS: readonly Column<ShownRequest>[] = [
  {
    head: "Arrived",
    cell: ({ at }) => <Time at={at} />,
  },
  { head: "Outcome", cell: ({ outcome }) => <StateBadge state={outcome} /> },
  { head: "Status", numeric: true, wide: true, cell: ({ status }) => status },
  { head: "Why", isText: true, cell: (request) => <Why request={request} /> },
  { head: "Client", wide: true, cell: ({ user_agent: agent }) => <Maybe value={agent} /> },
];

function Why({ request }: { request: ShownRequest }) {
  const { outcome } = request;
  if (outcome === "accepted") return <>Stored, and on its way.</>;
  if (outcome === "duplicate") return <>A repeat: no second file was made.</>;
  return <Prose text={reasonOf(request)} />;
}

function Tries({ requests, counts }: Requests) {
  if (requests.length === 0) return null;
  const { ACCEPTED: accepted = 0, DUPLICATE: repeats = 0, ...refused } = counts;
  const refusals = Object.values(refused).reduce((sum, n) => sum + n, 0);
  const parts = [
    `${number(accepted)} accepted`,
    `${number(refusals)} refused`,
    ...(repeats > 0 ? [`${number(repeats)} ${repeats === 1 ? "repeat" : "repeats"}`] : []),
  ];
  return (
    <Panel title="Newest tries" aside={<span class="quiet">{parts.join(", ")} in 30 days</span>}>
      <Table
        caption="The newest requests of the connection"
        columns={COLUMNS}
        rows={requests}
        href={({ request_id: id }) => to.request(id)}
        keyOf={({ request_id: id }) => id}
      />
    </Panel>
  );
}

function NothingAppears({ connection }: { connection: ShownConnection }) {
  const host = new URL(connection.url).host;
  return (
    <details>
      <summary>Sent it, and nothing appears here?</summary>
      <div class="stack">
        <p>Then it did not reach this connection. What your client got back says why:</p>
        <dl class="causes">
          <dt>No answer at all</dt>
          <dd>
            The machine cannot reach <code>{host}</code>. Outgoing HTTPS to it must be allowed, past proxies
            and firewalls, with TLS 1.2 or newer.
          </dd>
          <dt>400 or 404</dt>
          <dd>The address is not this connection's. Copy it again, whole:</dd>
          <dt>403 “HTTPS required”</dt>
          <dd>
            The address was used with <code>http://</code>. Make a new secret: the old one may have been read
            on the way.
          </dd>
          <dt>202</dt>
          <dd>
            Another connection took it. Paste the answer's <code>X-Audit1-Request-Id</code> into Find to see
            which.
          </dd>
        </dl>
        <Code text={connection.url} what="address" wraps />
      </div>
    </details>
  );
}
