/** The tab of a connection's secrets, their rotation, and the new secret, which is shown once. */
import type { ShownConnection } from "../../../portal/connections/connection-contract.ts";
import type { ApiError } from "../../api.ts";
import { usePage } from "../../page-state.ts";
import { Badge } from "../../parts/badge.tsx";
import { Action, ActionForm, Dialog } from "../../parts/dialog.tsx";
import { ButtonLink } from "../../parts/link.tsx";
import { Code, Notice, Panel } from "../../parts/panels.tsx";
import { Refused } from "../../parts/states.tsx";
import { Table } from "../../parts/table.tsx";
import { Id, Instant, Time } from "../../parts/values.tsx";
import { to } from "../../paths.ts";

export const ROTATE = "rotate";

const HOUR_S = 3_600;
const DAY_S = 24 * HOUR_S;
const OVERLAPS = [
  { seconds: 0, label: "End it at once" },
  { seconds: HOUR_S, label: "Keep it for an hour" },
  { seconds: DAY_S, label: "Keep it for a day" },
  { seconds: 3 * DAY_S, label: "Keep it for three days" },
  { seconds: 7 * DAY_S, label: "Keep it for a week" },
] as const;
const USUAL_S = DAY_S;

type ShownSecret = ShownConnection["secrets"][number];

export function SecretsTab({ connection }: { connection: ShownConnection }) {
  const { secrets } = connection;
  return (
    <Panel title="Secrets in force" aside={<Action name={ROTATE}>Rotate secret</Action>}>
      <p class="quiet">
        A report is accepted if any of these has signed it. Their values were shown when they were made, and
        cannot be shown again.
      </p>
      {secrets.length === 0 ? (
        <Notice meaning="bad">
          <p>No secret is in force, so every report is refused. Rotate the secret to get a new one.</p>
        </Notice>
      ) : (
        <Table
          caption="Secrets in force, newest first"
          columns={[
            { head: "Secret", cell: ({ id }) => <Id id={id} /> },
            { head: "In force", cell: (secret) => <Until secret={secret} /> },
            { head: "Made", cell: ({ created_at: at }) => <Time at={at} /> },
          ]}
          rows={secrets}
        />
      )}
      {secrets.length > 1 && (
        <p class="quiet">
          Give the newest one to the sender before the older ones end. Rotate with “End it at once” only if an
          old secret has leaked: it ends all of them.
        </p>
      )}
    </Panel>
  );
}

function Until({ secret: { expires_at: at } }: { secret: ShownSecret }) {
  if (at === null) return <Badge meaning="good">Until it is rotated</Badge>;
  return (
    <span class="named">
      <Badge meaning="waiting">Ends</Badge> <Instant at={at} />
    </span>
  );
}

export function RotateDialog({ etag, refused }: { etag: string | null; refused: ApiError | null }) {
  const { now } = usePage();
  return (
    <Dialog name={ROTATE} title="Rotate the secret">
      {refused !== null && <NotRotated error={refused} />}
      <p>
        A new secret is made and shown once. It is valid at once, beside the present one, so that no report is
        lost while the sender changes over.
      </p>
      <ActionForm
        hidden={{ act: ROTATE, ...(etag !== null && { etag }) }}
        submit="Rotate secret"
        busy="Making the secret…"
      >
        <fieldset>
          <legend>The present secret</legend>
          {OVERLAPS.map(({ seconds, label }) => (
            <label class="choice">
              <input type="radio" name="overlap" value={seconds} checked={seconds === USUAL_S} />
              <span>
                {label}
                <br />
                <span class="small quiet">
                  {seconds === 0 ? (
                    "It has leaked, or nobody uses it. Senders that still use it are refused from now on."
                  ) : (
                    <>
                      Senders that still use it are refused after <Instant at={now + seconds * 1_000} />.
                    </>
                  )}
                </span>
              </span>
            </label>
          ))}
        </fieldset>
        <p class="quiet">
          This cannot be taken back: an end is never put off, and a secret that has ended is never valid
          again. Another rotation gives another secret.
        </p>
      </ActionForm>
    </Dialog>
  );
}

function NotRotated({ error }: { error: ApiError }) {
  if (error.code !== "PRECONDITION_FAILED") return <Refused error={error} what="No new secret was made." />;
  return (
    <Notice meaning="warning">
      <p>
        <strong>No new secret was made.</strong> The connection has changed since this page was opened. If you
        have just sent this form twice, the secret was shown the first time. If it is lost, rotate again.
      </p>
    </Notice>
  );
}

/** The answer to a rotation, in place of the tab. */
export function NewSecret({ connection, secret }: { connection: ShownConnection; secret: string }) {
  const [, old] = connection.secrets;
  return (
    <Panel title="The new secret">
      <Notice meaning="warning">
        <p>
          <strong>It is shown this once.</strong> Copy it to where the sender keeps its secrets. When you
          leave this page, nobody can show it again, Audit1 included.
        </p>
      </Notice>
      <Code text={secret} what="secret" label="Secret" wraps />
      <p>
        {old?.expires_at == null ? (
          "Only this secret is in force: reports that are signed with an earlier one are refused."
        ) : (
          <>
            Senders that still use the old secret are refused after <Instant at={old.expires_at} />.
          </>
        )}
      </p>
      <p class="buttons">
        <ButtonLink href={to.connection(connection.id, { tab: "secrets" })} class="primary">
          I have stored the secret
        </ButtonLink>
      </p>
    </Panel>
  );
}
