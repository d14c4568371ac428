/** The dialog that sends an event to the sandbox. */
import { newObjectId } from "../../../crypto/ids.ts";
import type { ShownEventType } from "../../../portal/events/event-type-contract.ts";
import type { ApiError, ApiResult } from "../../api.ts";
import type { ConsoleContext } from "../../console-host.ts";
import type { PageStatus } from "../../page.tsx";
import { usePage } from "../../page-state.ts";
import { ActionForm, Dialog } from "../../parts/dialog.tsx";
import { Link } from "../../parts/link.tsx";
import { ScopeInputs } from "../../parts/scope-fields.tsx";
import { Failed, Refused } from "../../parts/states.tsx";
import { to } from "../../paths.ts";
import { mayManage } from "../../session.ts";

export interface SendForm {
  types: ApiResult<{ event_types: ShownEventType[] }>;
  chosen: string | null;
  /** Makes a repeated post the same event. */
  id: string;
}

export interface Unsent {
  status: PageStatus;
  data: string;
  id: string;
  type: string;
  /** Null if the data is not JSON. */
  error: ApiError | null;
}

export const newEventId = () => `evt_console_${newObjectId()}`;

/** Null while the dialog is not open, and for people who may not send. */
export async function readSendForm(c: ConsoleContext): Promise<SendForm | null> {
  const query = new URL(c.req.url).searchParams;
  if (query.get("do") !== "send" || !mayManage(c.get("session"))) return null;
  const types = await c
    .get("api")
    .get<{ event_types: ShownEventType[] }>("/event-types", { environment: "sandbox" });
  return { types, chosen: query.get("event"), id: newEventId() };
}

export function SendDialog({ form, unsent }: { form: SendForm | null; unsent: Unsent | null }) {
  if (form === null)
    return unsent?.error == null ? null : <Refused error={unsent.error} what="Nothing was sent." />;
  return (
    <Dialog name="send" title="Send an event to the sandbox">
      {form.types.ok ? (
        <Fields types={form.types.body.event_types} form={form} unsent={unsent} />
      ) : (
        <Failed error={form.types.error} what="The event types" />
      )}
    </Dialog>
  );
}

interface FieldsProps {
  types: readonly ShownEventType[];
  form: SendForm;
  unsent: Unsent | null;
}

function Fields({ types, form, unsent }: FieldsProps) {
  const { url } = usePage();
  const reportable = types.filter(({ reported_by }) => reported_by === "services");
  const wanted = unsent?.type ?? form.chosen;
  const chosen = reportable.find(({ type }) => type === wanted) ?? reportable[0];
  if (chosen === undefined) return null;
  return (
    <>
      <p>
        It is stored and sent to every webhook in the sandbox that asks for its type, as if Audit1 had
        reported it. Events of files come from reports: send one to a sandbox connection. To try a webhook in
        production, use its <Link href={to.webhooks()}>tests</Link>.
      </p>
      {unsent !== null && unsent.error === null && (
        <p class="problem" role="alert">
          Nothing was sent: the data is not JSON.
        </p>
      )}
      {unsent?.error != null && <Refused error={unsent.error} what="Nothing was sent." />}
      <form method="get" action={url.pathname} class="inline">
        <ScopeInputs />
        <input type="hidden" name="do" value="send" />
        <p class="field">
          <label for="event">Type</label>
          <select id="event" name="event">
            {reportable.map(({ type, summary }) => (
              <option value={type} selected={type === chosen.type}>
                {type}: {summary}
              </option>
            ))}
          </select>
        </p>
        <button type="submit">Show an example</button>
      </form>
      <p class="quiet small">
        {chosen.webhook_count === 0
          ? "No webhook in the sandbox asks for it: it is stored and goes nowhere."
          : `${chosen.webhook_count === 1 ? "One webhook in the sandbox asks" : `${chosen.webhook_count} webhooks in the sandbox ask`} for it.`}
      </p>
      <ActionForm
        hidden={{ id: unsent?.id ?? form.id, type: chosen.type }}
        submit="Send event"
        busy="Sending…"
      >
        <label class="field">
          <span>Data</span>
          <textarea name="data" rows={10} spellcheck={false}>
            {unsent?.data ?? JSON.stringify(chosen.test_data, null, 2)}
          </textarea>
        </label>
      </ActionForm>
    </>
  );
}
