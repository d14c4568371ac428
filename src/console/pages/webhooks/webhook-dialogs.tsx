/** The dialogs of a webhook's page. Each says what happens to deliveries, and how to take it back. */
import type { ApiError } from "../../api.ts";
import { usePage } from "../../page-state.ts";
import { Action, ActionForm, Dialog } from "../../parts/dialog.tsx";
import { Notice } from "../../parts/panels.tsx";
import { Refused } from "../../parts/states.tsx";
import { Instant, number } from "../../parts/values.tsx";
import type { WebhookReading } from "./webhook-reading.ts";

export const DIALOGS = [
  "pause",
  "resume",
  "enable",
  "disable",
  "delete",
  "replay",
  "rotate",
  "activate",
] as const;

export function WebhookActions({ reading: { webhook } }: { reading: WebhookReading }) {
  const { status } = webhook;
  return (
    <>
      {status === "active" && <Action name="pause">Pause</Action>}
      {status === "paused" && <Action name="resume">Resume</Action>}
      {status === "disabled" && <Action name="enable">Enable</Action>}
      {status !== "disabled" && (
        <Action name="disable" danger>
          Disable
        </Action>
      )}
    </>
  );
}

interface DialogsProps {
  reading: WebhookReading;
  /** Why what the open dialog asked for was refused. */
  refused: ApiError | null;
}

export function WebhookDialogs({ reading, refused }: DialogsProps) {
  const { etag } = reading;
  const error = refused !== null && <Refused error={refused} what="Nothing was changed." />;
  const hidden = (act: string) => ({ act, etag });
  return (
    <>
      <Dialog name="pause" title="Pause the webhook">
        {error}
        <p>
          Nothing is sent until you resume. <strong>What comes meanwhile is held</strong>, up to 90 days, and
          is sent then, the oldest first. Waiting retries wait, too. Tests still work.
        </p>
        <p class="quiet">To have what comes skipped instead, disable the webhook.</p>
        <ActionForm hidden={hidden("pause")} submit="Pause webhook" busy="Pausing…" />
      </Dialog>
      <Dialog name="disable" title="Disable the webhook">
        {error}
        <p>
          Nothing more is sent. <strong>What comes meanwhile is skipped, not held</strong>, and so is what
          waits now, retries included. It is counted, and can be replayed after the webhook is enabled again,
          as long as its events are kept: 90 days. A running replay ends.
        </p>
        <p class="quiet">To have what comes held and sent by itself later, pause the webhook.</p>
        <ActionForm hidden={hidden("disable")} submit="Disable webhook" danger busy="Disabling…" />
      </Dialog>
      <Dialog name="resume" title="Resume the webhook">
        {error}
        <p>
          What was held is sent at once, the oldest first
          {reading.webhook.max_per_minute !== null &&
            `, at most ${number(reading.webhook.max_per_minute)} a minute`}
          . Replays go on.
        </p>
        <ActionForm hidden={hidden("resume")} submit="Resume webhook" busy="Resuming…">
          <ReplayChoice reading={reading} />
        </ActionForm>
      </Dialog>
      <Dialog name="enable" title="Enable the webhook">
        {error}
        <p>
          Events that are stored from now on are sent again. Its history of failures starts anew: it has five
          days from its next failure.
        </p>
        <ActionForm hidden={hidden("enable")} submit="Enable webhook" busy="Enabling…">
          <ReplayChoice reading={reading} />
        </ActionForm>
      </Dialog>
      <DeleteDialog etag={etag} error={refused} />
      <ReplayDialog reading={reading} error={refused} />
    </>
  );
}

/** Only if something was missed. */
function ReplayChoice({ reading: { skipped } }: { reading: WebhookReading }) {
  if (skipped.count === 0 || skipped.first_at === null || skipped.last_at === null) return null;
  return (
    <>
      <label class="choice">
        <input type="checkbox" name="replay" value="yes" checked />
        <span>
          Send what was skipped: {number(skipped.count)} {skipped.count === 1 ? "delivery" : "deliveries"},
          from <Instant at={skipped.first_at} /> on
        </span>
      </label>
      <input type="hidden" name="since" value={skipped.first_at} />
    </>
  );
}

function DeleteDialog({ etag, error }: { etag: string; error: ApiError | null }) {
  return (
    <Dialog name="delete" title="Delete the webhook">
      {error !== null && <Refused error={error} what="Nothing was deleted." />}
      <p>
        Nothing more is sent, what waits is skipped, and the secrets are of no more use. Its deliveries can
        still be read for a month. It cannot be taken back: a new webhook gets another secret.
      </p>
      <p class="quiet">To stop it for a while, pause or disable it.</p>
      <ActionForm hidden={{ act: "delete", etag }} submit="Delete webhook" danger busy="Deleting…" />
    </Dialog>
  );
}

const fieldOf = (at: string) => at.slice(0, 19);

/** Everything that was missed in a range, or all of it. */
function ReplayDialog({ reading, error }: { reading: WebhookReading; error: ApiError | null }) {
  const { now } = usePage();
  const { skipped, webhook } = reading;
  const since = skipped.first_at ?? new Date(now - 86_400_000).toISOString();
  // The end is included in a whole second.
  const until = new Date(now + 1_000).toISOString();
  return (
    <Dialog name="replay" title="Send events again">
      {error !== null && <Refused error={error} what="Nothing was begun." />}
      {webhook.status === "disabled" ? (
        <Notice meaning="warning">
          <p>A disabled webhook receives nothing. Enable it first.</p>
        </Notice>
      ) : (
        <ActionForm hidden={{ act: "replay" }} submit="Begin" busy="Beginning…">
          <div class="fields">
            <p class="field">
              <label for="replay-since">Events stored since (UTC)</label>
              <input
                id="replay-since"
                type="datetime-local"
                name="since"
                step={1}
                value={fieldOf(since)}
                required
              />
            </p>
            <p class="field">
              <label for="replay-until">Until (UTC)</label>
              <input id="replay-until" type="datetime-local" name="until" step={1} value={fieldOf(until)} />
              <span class="hint">Empty: now.</span>
            </p>
            <fieldset>
              <legend>Which ones</legend>
              <label class="choice">
                <input type="radio" name="only" value="failed" checked />
                <span>What was skipped, failed or was never sent</span>
              </label>
              <label class="choice">
                <input type="radio" name="only" value="all" />
                <span>
                  Everything, delivered ones too: the receiver gets those a second time, with the same ids
                </span>
              </label>
            </fieldset>
          </div>
          <p class="quiet small">
            Only types that the webhook asks for now. They are queued in the background, no faster than the
            endpoint answers. You can cancel; what is queued by then is still sent.
          </p>
        </ActionForm>
      )}
    </Dialog>
  );
}
