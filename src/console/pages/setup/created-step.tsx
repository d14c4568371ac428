/** The third step: the connection's address, and its secret, which is shown once. */
import type { ShownConnection } from "../../../portal/connections/connection-contract.ts";
import type { ApiError } from "../../api.ts";
import { usePage } from "../../page-state.ts";
import { sentence } from "../../parts/badge.tsx";
import { ButtonLink, Link } from "../../parts/link.tsx";
import { Code, Facts, Notice, Panel } from "../../parts/panels.tsx";
import { Done, Refused } from "../../parts/states.tsx";
import { mayManage } from "../../session.ts";
import { StepPage, stepAddress } from "./steps.tsx";
import { WhyNot } from "./why-not.tsx";

interface CreatedStepProps {
  connection: ShownConnection;
  /** Just made; null once it is no longer known. */
  secret: string | null;
  /** Whether the secret took the place of another. */
  isRotated?: boolean;
}

export function CreatedStep({ connection, secret, isRotated = false }: CreatedStepProps) {
  if (secret === null) return <SecretGone connection={connection} etag={null} />;
  return (
    <StepPage step="created" connection={connection}>
      <Done>
        {isRotated ? "The connection has a new secret." : "The connection is ready to receive reports."}
      </Done>
      <Panel title="Address">
        <Code text={connection.url} what="address" wraps />
        <p class="quiet">
          Where the payroll system posts its reports. It may be known: without the secret it is of no use.
        </p>
      </Panel>
      <Panel title="Secret">
        <Code text={secret} what="secret" wraps />
        <Notice meaning="warning">
          <p>
            <strong>The secret is shown now, and never again.</strong> Audit1 keeps it sealed, to check
            signatures; nobody there can read it to you. Store it where the sending system keeps its passwords
            before you go on.
          </p>
          <p>
            If it gets lost, or somebody else sees it, make a new one: the address and everything else of the
            connection stay as they are.
          </p>
        </Notice>
        <Code
          text={`export AUDIT1_SECRET='${secret}'`}
          what="command"
          wraps
          label="For the next step, in the terminal that you will send from. The samples read the secret from there:"
        />
      </Panel>
      <Facts
        facts={[
          ["Owner", `${connection.owner_id} (${sentence(connection.owner_type).toLowerCase()})`],
          ["Environment", sentence(connection.environment)],
          ["Plan", sentence(connection.plan)],
          ["Employer", connection.employer_id ?? "Any that is granted to the owner"],
        ]}
      />
      <p class="buttons">
        <ButtonLink href={stepAddress("send", connection)} class="primary">
          I have stored the secret
        </ButtonLink>
      </p>
    </StepPage>
  );
}

interface SecretGoneProps {
  connection: ShownConnection;
  /** The version that a rotation would change. */
  etag: string | null;
  refused?: ApiError;
}

/** The address was opened again: the secret is no longer known, but a new one can be made. */
export function SecretGone({ connection, etag, refused }: SecretGoneProps) {
  const { session } = usePage();
  return (
    <StepPage step="created" connection={connection}>
      {refused !== undefined && <NotRotated error={refused} />}
      <Panel title="Address">
        <Code text={connection.url} what="address" wraps />
      </Panel>
      <Panel title="Secret">
        <p>
          The secret was shown when it was made, and cannot be shown again. If you have stored it, go on. If
          it is lost, make a new one.
        </p>
        <WhyNot />
        {mayManage(session) && <RotationForm etag={etag} connection={connection} />}
      </Panel>
      <p class="buttons">
        <ButtonLink href={stepAddress("send", connection)} class="primary">
          I have the secret
        </ButtonLink>
        <Link href={stepAddress("wait", connection)}>See what has arrived</Link>
      </p>
    </StepPage>
  );
}

function NotRotated({ error }: { error: ApiError }) {
  if (error.code !== "PRECONDITION_FAILED") return <Refused error={error} what="No new secret was made." />;
  return (
    <Notice meaning="warning">
      <p>
        <strong>No new secret was made now.</strong> The connection has changed since this form was opened:
        most likely the form was sent twice, and the secret was shown the first time. If it is lost too, make
        another.
      </p>
    </Notice>
  );
}

export const DAY_S = 86_400;

/** Posts `act=rotate`. Without an etag the form is read again first. */
function RotationForm({ etag, connection }: { etag: string | null; connection: ShownConnection }) {
  if (etag === null)
    return (
      <p>
        <ButtonLink href={stepAddress("created", connection)}>Make a new secret</ButtonLink>
      </p>
    );
  return (
    <form method="post" action={stepAddress("created", connection)} data-busy="Making…">
      <input type="hidden" name="act" value="rotate" />
      <input type="hidden" name="etag" value={etag} />
      <fieldset>
        <legend>Senders that use the present secret</legend>
        <label class="choice">
          <input type="radio" name="overlap" value="0" checked />
          <span>are refused at once: nobody uses it, or somebody who should not</span>
        </label>
        <label class="choice">
          <input type="radio" name="overlap" value={DAY_S} />
          <span>may use it for another day, beside the new one</span>
        </label>
      </fieldset>
      <p class="buttons">
        <button type="submit">Make a new secret</button>
      </p>
    </form>
  );
}
