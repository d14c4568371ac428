/** The last step: what has been proved, and what comes next. */
import type { ShownConnection } from "../../../portal/connections/connection-contract.ts";
import type { ApiResult } from "../../api.ts";
import { usePage } from "../../page-state.ts";
import { StateBadge } from "../../parts/badge.tsx";
import { ButtonLink, Link } from "../../parts/link.tsx";
import { Notice, Panel } from "../../parts/panels.tsx";
import { Done, Failed } from "../../parts/states.tsx";
import { Id } from "../../parts/values.tsx";
import { to } from "../../paths.ts";
import { mayManage } from "../../session.ts";
import type { FollowedFile } from "./file-steps.ts";
import { StepPage, stepAddress } from "./steps.tsx";

interface DoneStepProps {
  connection: ShownConnection;
  /** The connection's newest file, if it has any. */
  file: ApiResult<FollowedFile | null>;
}

export function DoneStep({ connection, file }: DoneStepProps) {
  return (
    <StepPage step="done" connection={connection}>
      <Proof connection={connection} file={file} />
      <Panel title="What comes next">
        <Next connection={connection} />
      </Panel>
      <p class="buttons">
        <ButtonLink href={to.connection(connection.id)} class="primary">
          Open the connection
        </ButtonLink>
        <Link href={to.connections()}>All connections</Link>
      </p>
    </StepPage>
  );
}

function Proof({ connection, file }: DoneStepProps) {
  if (!file.ok) return <Failed error={file.error} what="The first report" />;
  if (file.body?.summary.status === "completed")
    return (
      <Done>
        The connection works: report <Id id={file.body.id} /> was accepted and completed.
      </Done>
    );
  return (
    <Notice meaning="warning">
      {file.body === null ? (
        <p>
          <strong>Nothing has been accepted yet.</strong> The connection is set up, but nobody has proved that
          it works. <Link href={stepAddress("wait", connection)}>Wait for the first request</Link>
        </p>
      ) : (
        <p>
          The newest report <Id id={file.body.id} /> was accepted:{" "}
          <StateBadge state={file.body.summary.status} />{" "}
          <Link href={stepAddress("wait", connection)}>Follow it</Link>
        </p>
      )}
    </Notice>
  );
}

function Next({ connection }: { connection: ShownConnection }) {
  const { session } = usePage();
  return (
    <ul class="next-steps">
      <li>
        <strong>Repeat without fear.</strong> After no answer, a 429 or a 503, send the same request again.
        Give each report an <code>Idempotency-Key</code> of its own, such as the id of the payroll run: at
        most one file comes of it.
      </li>
      <li>
        <strong>Read the warnings.</strong> An accepted answer lists problems with fields in{" "}
        <code>warnings</code>. They refuse nothing, and are cheaper to mend today.
      </li>
      <li>
        <strong>Hear what becomes of reports.</strong> <Link href={to.webhooks()}>Register a webhook</Link>{" "}
        for <code>file.processed</code> and <code>file.failed</code>.
      </li>
      {connection.environment === "sandbox" && mayManage(session) && (
        <li>
          <strong>Go to production.</strong>{" "}
          <Link href={stepAddress("who", undefined, { environment: "production" })}>
            Set up a production connection
          </Link>{" "}
          with an address and a secret of its own, and leave this one for tests.
        </li>
      )}
      <li>
        <strong>Know where to look.</strong>{" "}
        <Link href={to.connection(connection.id)}>The connection's page</Link> lists what arrived and why
        something was refused, and makes new secrets.
      </li>
    </ul>
  );
}
