/** What the newest try came to: nothing yet, refused for a reason, or a file on its way. */
import type { ShownConnection } from "../../../portal/connections/connection-contract.ts";
import type { ShownRequest } from "../../../portal/requests/request-contract.ts";
import type { ApiResult } from "../../api.ts";
import { usePage } from "../../page-state.ts";
import { Badge, StateBadge } from "../../parts/badge.tsx";
import { Reasons } from "../../parts/diagnosis.tsx";
import { Lifecycle } from "../../parts/lifecycle.tsx";
import { Link } from "../../parts/link.tsx";
import { Code, Notice } from "../../parts/panels.tsx";
import { Failed } from "../../parts/states.tsx";
import { Id, Time } from "../../parts/values.tsx";
import { to } from "../../paths.ts";
import type { FollowedFile } from "./file-steps.ts";
import { stepsOfFile } from "./file-steps.ts";
import { stepAddress } from "./steps.tsx";

/** Newest first. */
export interface Requests {
  requests: ShownRequest[];
  /** All requests by code, whether or not they are listed. */
  counts: Record<string, number>;
}

export interface Arrived {
  connection: ShownConnection;
  requests: ApiResult<Requests>;
  /** The connection's newest file, if it has any. */
  file: ApiResult<FollowedFile | null>;
}

export function Arrival({ connection, requests, file }: Arrived) {
  const newest = requests.ok ? requests.body.requests[0] : undefined;
  const followed = file.ok ? file.body : null;
  if (requests.ok && newest === undefined && file.ok && followed === null)
    return <Waiting connection={connection} />;
  return (
    <>
      {newest?.outcome === "refused" && <Refusal connection={connection} request={newest} />}
      {followed !== null && <Followed file={followed} />}
      {!file.ok && <Failed error={file.error} what="The file" />}
    </>
  );
}

function Waiting({ connection }: { connection: ShownConnection }) {
  return (
    <div class="stack">
      <h2>
        <Badge meaning="waiting">Waiting for your first request</Badge>
      </h2>
      <p>
        Each try appears here within three seconds, whether it is accepted or refused. Nothing has arrived yet
        at
      </p>
      <Code text={connection.url} what="address" wraps />
    </div>
  );
}

function Refusal({ connection, request }: { connection: ShownConnection; request: ShownRequest }) {
  return (
    <Notice meaning="bad">
      <div class="step-title">
        <h2>
          <Badge meaning="bad">Refused with {request.status}</Badge>
        </h2>
        <Time at={request.at} />
      </div>
      <Reasons request={request} />
      <Advice connection={connection} request={request} />
    </Notice>
  );
}

/** What the connection itself has to do with it. */
function Advice({ connection, request }: { connection: ShownConnection; request: ShownRequest }) {
  const { code, diagnosis } = request;
  const { employer_id: employer, owner_id: owner } = connection;
  if (code === "EMPLOYER_NOT_RESOLVED")
    return employer === null ? (
      <p>
        This connection is bound to no employer. Its reports must name, by <code>employer_fein</code> or{" "}
        <code>employer_id</code>, one that is granted to {owner}.
      </p>
    ) : (
      <p>
        This connection speaks for <code>{employer}</code> only. Name that employer, or leave{" "}
        <code>employer_fein</code> and <code>employer_id</code> out.
      </p>
    );
  if (code === "CONNECTION_INACTIVE")
    return (
      <p>
        <Link href={to.connection(connection.id)}>Open the connection</Link> to activate it.
      </p>
    );
  if (diagnosis.includes("ended_secret"))
    return (
      <p>
        <Link href={stepAddress("created", connection)}>Make a new secret</Link>
      </p>
    );
  if (diagnosis.includes("unknown"))
    return (
      <p>
        <Link href={stepAddress("send", connection)}>Compare with a sample</Link>, or, if the secret may be
        another one, <Link href={stepAddress("created", connection)}>make a new secret</Link>.
      </p>
    );
  return null;
}

function Followed({ file }: { file: FollowedFile }) {
  const { now } = usePage();
  const { status, warnings } = file.summary;
  return (
    <section class="panel">
      <div class="panel-head">
        <h2>
          Report <Id id={file.id} />
        </h2>
        <StateBadge state={status} />
      </div>
      {status === "completed" && (
        <Notice meaning="good">
          <p>
            <strong>It works.</strong> The report was signed correctly, received, and processed to the end.
          </p>
        </Notice>
      )}
      <Lifecycle steps={stepsOfFile(file, now)} />
      <Warnings warnings={warnings} />
      <p>
        <Link href={to.report(file.id)}>Everything about this report</Link>
      </p>
    </section>
  );
}

const SHOWN_WARNINGS = 5;

/** As the answer told the sender. */
function Warnings({ warnings }: { warnings: Record<string, string> }) {
  const all = Object.entries(warnings);
  if (all.length === 0) return null;
  return (
    <Notice meaning="warning">
      <p>
        <strong>{all.length === 1 ? "One warning" : `${all.length} warnings`}.</strong> Warnings refuse
        nothing.
      </p>
      <ul class="warnings">
        {all.slice(0, SHOWN_WARNINGS).map(([path, text]) => (
          <li>
            <code>{path}</code>: {text}
          </li>
        ))}
      </ul>
    </Notice>
  );
}
