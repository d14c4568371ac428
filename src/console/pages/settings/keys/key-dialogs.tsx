/** The dialogs of an API key's page. Each says what its change does, and how to take it back. */

import { PLANS } from "../../../../model.ts";
import type { ShownApiKey } from "../../../../portal/api-keys/api-key-contract.ts";
import { usePage } from "../../../page-state.ts";
import { sentence } from "../../../parts/badge.tsx";
import { ActionForm } from "../../../parts/dialog.tsx";
import { Facts, Notice } from "../../../parts/panels.tsx";
import { PLAN_WORDS } from "../../../parts/plan-words.ts";
import { Instant, Time } from "../../../parts/values.tsx";
import { ChangeDialog, type RefusedForm } from "../settings-page.tsx";

/** The dialogs' names in the address, and the acts of their forms. */
export const KEY_ACTS = ["deactivate", "enable", "plan", "erase", "keep"] as const;
export type KeyAct = (typeof KEY_ACTS)[number];

const ERASED_AFTER_DAYS = 7;
const DAY_MS = 86_400_000;

export function isErased({ erase_at: at }: ShownApiKey, now: number): boolean {
  return at !== null && Date.parse(at) <= now;
}

interface KeyDialogsProps {
  apiKey: ShownApiKey;
  /** The version that a change is made on. */
  etag: string | null;
  refused: RefusedForm | null;
}

export function KeyDialogs({ apiKey, etag, refused }: KeyDialogsProps) {
  const { now } = usePage();
  const hidden = (act: KeyAct) => ({ act, ...(etag !== null && { etag }) });
  const wanted = refused?.form.plan ?? apiKey.plan;
  return (
    <>
      <ChangeDialog
        refused={refused}
        name="deactivate"
        title="Deactivate this key"
        overtaken={<Overtaken apiKey={apiKey} wanted="Inactive" />}
      >
        <p>
          Requests with the key are refused with 401 everywhere, at once. What was accepted before goes on.{" "}
          <LastUse apiKey={apiKey} /> The key can be enabled again.
        </p>
        <ActionForm hidden={hidden("deactivate")} submit="Deactivate key" danger busy="Deactivating…" />
      </ChangeDialog>
      <ChangeDialog
        refused={refused}
        name="enable"
        title="Enable this key"
        overtaken={<Overtaken apiKey={apiKey} wanted="Active" />}
      >
        <p>Requests with the key are accepted again, at once. Whoever has stored it can use it.</p>
        <ActionForm hidden={hidden("enable")} submit="Enable key" busy="Enabling…" />
      </ChangeDialog>
      <ChangeDialog
        refused={refused}
        name="plan"
        title="Change the plan"
        overtaken={<Overtaken apiKey={apiKey} wanted={sentence(wanted)} />}
      >
        <p>The limits take effect everywhere at once. Requests above them are refused with 429.</p>
        <ActionForm hidden={hidden("plan")} submit="Change plan" busy="Changing…">
          <p class="field">
            <label for="plan">Plan</label>
            <select id="plan" name="plan">
              {PLANS.map((plan) => (
                <option value={plan} selected={plan === wanted}>
                  {PLAN_WORDS[plan]}
                </option>
              ))}
            </select>
          </p>
        </ActionForm>
      </ChangeDialog>
      <ChangeDialog
        refused={refused}
        name="erase"
        title="Erase what was sent with this key"
        overtaken={<Overtaken apiKey={apiKey} wanted="Inactive, and erased" />}
      >
        <p>
          {apiKey.is_active && "The key is deactivated at once. "}
          <Instant at={now + ERASED_AFTER_DAYS * DAY_MS} /> every report that was ever sent with it becomes
          unreadable, wherever it is stored: in the gateway, in the archive and in copies. Files that are
          still waiting then fail.
        </p>
        <Notice meaning="bad">
          <p>
            Until then the erasure can be cancelled. After it, nothing brings the reports back, and the key
            can never be enabled again.
          </p>
        </Notice>
        <ActionForm hidden={hidden("erase")} submit="Erase reports" danger busy="Setting the date…" />
      </ChangeDialog>
      <ChangeDialog
        refused={refused}
        name="keep"
        title="Cancel the erasure"
        overtaken={<Overtaken apiKey={apiKey} wanted="Reports kept" />}
      >
        <p>What was sent with the key is kept. The key stays inactive until somebody enables it.</p>
        <ActionForm hidden={hidden("keep")} submit="Keep the reports" busy="Cancelling…" />
      </ChangeDialog>
    </>
  );
}

function LastUse({ apiKey: { last_used_at: at } }: { apiKey: ShownApiKey }) {
  if (at === null) return <>It has never been used.</>;
  return (
    <>
      It was last used <Time at={at} />, to within an hour.
    </>
  );
}

function Overtaken({ apiKey, wanted }: { apiKey: ShownApiKey; wanted: string }) {
  const isSet = apiKey.erase_at !== null;
  const state = apiKey.is_active ? "Active" : isSet ? "Inactive, to be erased" : "Inactive";
  return (
    <Notice meaning="warning">
      <p>
        <strong>Somebody has changed the key since you opened this.</strong> Nothing was changed now. Send the
        form again if you still want it.
      </p>
      <Facts
        facts={[
          ["Now", `${state}, plan ${apiKey.plan}`],
          ["You wanted", wanted],
        ]}
      />
    </Notice>
  );
}
