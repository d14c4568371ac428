/** The secrets that sign a webhook's deliveries: which leads, until when, rotating with an overlap, activating. */
import type { ShownWebhook } from "../../../portal/webhooks/webhook-contract.ts";
import type { ApiError } from "../../api.ts";
import { usePage } from "../../page-state.ts";
import { Badge } from "../../parts/badge.tsx";
import { Action, ActionForm, Dialog } from "../../parts/dialog.tsx";
import { Done, Refused } from "../../parts/states.tsx";
import { Table } from "../../parts/table.tsx";
import { Id, Instant, Time } from "../../parts/values.tsx";
import { SecretOnce } from "./secret-once.tsx";
import { Verify } from "./verify.tsx";
import type { WebhookReading } from "./webhook-reading.ts";

type Secret = ShownWebhook["secrets"][number];

interface SecretsTabProps {
  reading: WebhookReading;
  /** Just made. */
  secret: string | null;
  refused: ApiError | null;
}

export function SecretsTab({ reading, secret, refused }: SecretsTabProps) {
  const { secrets } = reading.webhook;
  const [newest] = [...secrets].sort((a, b) => b.created_at.localeCompare(a.created_at));
  const unavailable =
    secrets.length < 2
      ? "There is one secret. Rotate it first."
      : newest?.leading === true
        ? "The newest secret leads already."
        : null;
  return (
    <>
      {secret !== null && (
        <>
          <Done>
            The webhook has a new secret. It signs from now on, beside the old one if that still does.
          </Done>
          <SecretOnce secret={secret} />
        </>
      )}
      <div class="heading">
        <p class="lead">
          Every secret in force signs every delivery. The leading one makes the signatures that hold a single
          value, and comes first where there are several.
        </p>
        <div class="actions">
          <Action name="activate" unavailable={unavailable}>
            Make the newest lead
          </Action>
          <Action name="rotate">Rotate secret</Action>
        </div>
      </div>
      <Table
        caption="Secrets in force"
        columns={[
          { head: "Secret", cell: ({ id }: Secret) => <Id id={id} /> },
          {
            head: "Role",
            cell: ({ leading }: Secret) => (
              <Badge meaning={leading ? "good" : "waiting"}>{leading ? "Leads" : "Signs beside it"}</Badge>
            ),
          },
          {
            head: "Until",
            cell: ({ expires_at }: Secret) =>
              expires_at === null ? <span class="quiet">you rotate it</span> : <Instant at={expires_at} />,
          },
          { head: "In force", wide: true, cell: (each: Secret) => <Span secret={each} all={secrets} /> },
          { head: "Made", wide: true, cell: ({ created_at }: Secret) => <Time at={created_at} /> },
        ]}
        rows={secrets}
      />
      {secret === null && (
        <>
          <RotateDialog reading={reading} error={refused} />
          <ActivateDialog reading={reading} error={refused} />
        </>
      )}
      <Verify webhook={reading.webhook} />
    </>
  );
}

const DAY_MS = 86_400_000;

/** The time of a secret within that of all, with a line for now: where two bars stand above each other, both sign. */
function Span({ secret, all }: { secret: Secret; all: readonly Secret[] }) {
  const { now } = usePage();
  const ends = all.flatMap(({ expires_at }) => (expires_at === null ? [] : [Date.parse(expires_at)]));
  const ahead = Math.max(DAY_MS / 24, ...ends.map((end) => end - now)) * 1.25;
  const oldest = Math.min(...all.map(({ created_at }) => Date.parse(created_at)));
  const from = Math.max(oldest, now - ahead);
  const x = (at: number) => ((Math.min(now + ahead, Math.max(from, at)) - from) / (now + ahead - from)) * 100;
  const start = x(Date.parse(secret.created_at));
  const end = secret.expires_at === null ? 100 : x(Date.parse(secret.expires_at));
  return (
    <svg class="span" viewBox="0 0 100 12" preserveAspectRatio="none" aria-hidden="true">
      <rect
        class={secret.leading ? "leading" : "beside"}
        x={start}
        y="3"
        width={Math.max(1, end - start)}
        height="6"
      />
      <rect class="now" x={x(now)} y="0" width="0.6" height="12" />
    </svg>
  );
}

const OVERLAPS = [
  { seconds: 0, label: "At once: nobody uses the old secret, or somebody who should not" },
  { seconds: 3_600, label: "An hour" },
  { seconds: 86_400, label: "A day" },
  { seconds: 604_800, label: "A week" },
] as const;
const USUAL_S = 86_400;

function RotateDialog({ reading, error }: { reading: WebhookReading; error: ApiError | null }) {
  const { now } = usePage();
  return (
    <Dialog name="rotate" title="Rotate the secret">
      {error !== null && <Refused error={error} what="No new secret was made." />}
      <p>
        A new secret is made and shown once. Both sign until the old one ends; the old one leads until then,
        or until you make the newest lead. A receiver that checks each value of a list never notices; one that
        checks a single value switches when you do.
      </p>
      <ActionForm hidden={{ act: "rotate", etag: reading.etag }} submit="Rotate secret" busy="Rotating…">
        <fieldset>
          <legend>The old secret ends</legend>
          {OVERLAPS.map(({ seconds, label }) => (
            <label class="choice">
              <input type="radio" name="overlap" value={String(seconds)} checked={seconds === USUAL_S} />
              <span>
                {label}
                {seconds > 0 && (
                  <span class="small quiet">
                    {" "}
                    : until <Instant at={now + seconds * 1_000} />
                  </span>
                )}
              </span>
            </label>
          ))}
        </fieldset>
        <p class="small quiet">
          Receivers that still check with the old secret refuse what is sent after that. It is retried, so
          switch before the retries end.
        </p>
      </ActionForm>
    </Dialog>
  );
}

function ActivateDialog({ reading, error }: { reading: WebhookReading; error: ApiError | null }) {
  const old = reading.webhook.secrets.find(({ leading }) => leading);
  return (
    <Dialog name="activate" title="Make the newest secret lead">
      {error !== null && <Refused error={error} what="Nothing was changed." />}
      <p>
        From the next attempt on, the newest secret makes the signatures that hold a single value, and comes
        first in the others. A receiver that checks a single value must know it by now.
      </p>
      {old !== undefined && old.expires_at !== null && (
        <p>
          The old secret goes on signing beside it until <Instant at={old.expires_at} />.
        </p>
      )}
      <ActionForm hidden={{ act: "activate", etag: reading.etag }} submit="Make it lead" busy="Switching…" />
    </Dialog>
  );
}
