/** Creating an API key. The key is shown once, by the page that answers the form. */
import { newObjectId } from "../../../../crypto/ids.ts";
import { ENVIRONMENTS, type Environment, PLANS, type Plan } from "../../../../model.ts";
import type { ShownApiKey } from "../../../../portal/api-keys/api-key-contract.ts";
import type { ApiError } from "../../../api.ts";
import { usePage } from "../../../page-state.ts";
import { sentence } from "../../../parts/badge.tsx";
import { ActionForm, Dialog } from "../../../parts/dialog.tsx";
import { ButtonLink, Link } from "../../../parts/link.tsx";
import { Code, Facts, Heading, Notice, Panel } from "../../../parts/panels.tsx";
import { Done, Refused } from "../../../parts/states.tsx";
import { to } from "../../../paths.ts";
import { mayManage, VIEW_ONLY } from "../../../session.ts";
import { EnvironmentField, PlanField } from "../../setup/who-fields.tsx";

/** The dialog's name in the address, and the act of its form. */
export const CREATE = "create";

export interface NewKeyValues {
  environment: Environment;
  /** Null: as the environment. */
  plan: Plan | null;
  /** Makes a repeated post create nothing more. */
  key: string;
}

export function emptyNewKey(environment: Environment | null): NewKeyValues {
  return { environment: environment ?? "sandbox", plan: null, key: newIdempotencyKey() };
}

function newIdempotencyKey(): string {
  return `key-${newObjectId()}`;
}

/** Reads a posted form. */
export function newKeyValuesOf(form: Record<string, string>): NewKeyValues {
  return {
    environment: ENVIRONMENTS.find((each) => each === form.environment) ?? "sandbox",
    plan: PLANS.find((each) => each === form.plan) ?? null,
    key: form.key || newIdempotencyKey(),
  };
}

export function NewKeyDialog({ values, refused }: { values: NewKeyValues; refused: ApiError | null }) {
  const { session } = usePage();
  const isSecond = refused?.error === "idempotency_key_reused";
  return (
    <Dialog name={CREATE} title="Create an API key">
      {!mayManage(session) && <p>{VIEW_ONLY}</p>}
      {mayManage(session) && (
        <>
          {refused !== null && !isSecond && <Refused error={refused} what="No key was created." />}
          {isSecond && (
            <Notice meaning="warning">
              <p>
                <strong>This form has created a key before, with other values.</strong> Send it again if you
                want a second one.
              </p>
            </Notice>
          )}
          <p>The key is shown once, on the next page. Have the place ready where it will be stored.</p>
          <ActionForm
            hidden={{ act: CREATE, key: isSecond ? newIdempotencyKey() : values.key }}
            submit="Create API key"
            busy="Creating…"
          >
            <div class="fields">
              <EnvironmentField chosen={values.environment} />
              <PlanField chosen={values.plan} />
            </div>
          </ActionForm>
        </>
      )}
    </Dialog>
  );
}

/** `secret` is null once it is no longer known. */
export function CreatedKey({ apiKey, secret }: { apiKey: ShownApiKey; secret: string | null }) {
  const page = to.settings({ tab: "keys", key: apiKey.id });
  return (
    <>
      <Heading title="New API key" />
      {secret === null ? (
        <Notice meaning="warning">
          <p>
            <strong>The key was created before, and cannot be shown again:</strong> it has been used or
            deactivated since. If nobody has stored it, deactivate it and create another.
          </p>
        </Notice>
      ) : (
        <>
          <Done>The key is ready to use.</Done>
          <Panel title="Key">
            <Code text={secret} what="key" wraps />
            <Notice meaning="warning">
              <p>
                <strong>The key is shown now, and never again.</strong> Audit1 keeps only a hash of it. Store
                it where the sending system keeps its passwords before you go on. It goes into the header{" "}
                <code>Authorization: Bearer …</code> of each request.
              </p>
              <p>If it gets lost, or somebody else sees it, deactivate it and create another.</p>
            </Notice>
          </Panel>
        </>
      )}
      <Facts
        facts={[
          ["Begins with", <code>{apiKey.key}</code>],
          ["Owner", `${apiKey.owner_id} (${sentence(apiKey.owner_type).toLowerCase()})`],
          ["Environment", sentence(apiKey.environment)],
          ["Plan", sentence(apiKey.plan)],
        ]}
      />
      <p class="buttons">
        <ButtonLink href={page} class="primary">
          {secret === null ? "Open the key's page" : "I have stored the key"}
        </ButtonLink>
        <Link href={to.settings({ tab: "keys" })}>All API keys</Link>
      </p>
    </>
  );
}
