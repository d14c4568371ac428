/** Adding a webhook. Its secret is shown in the answer to the form, and nowhere else. */
import { ENVIRONMENTS, type Environment } from "../../../model.ts";
import type { ShownWebhook } from "../../../portal/webhooks/webhook-contract.ts";
import type { ApiError, ApiResult } from "../../api.ts";
import type { ConsoleContext } from "../../console-host.ts";
import { formOf } from "../../form.ts";
import { page, statusOfRefused } from "../../page.tsx";
import { usePage } from "../../page-state.ts";
import { AskOwner } from "../../parts/ask-owner.tsx";
import { sentence } from "../../parts/badge.tsx";
import { ActionForm } from "../../parts/dialog.tsx";
import { ButtonLink, Link } from "../../parts/link.tsx";
import { Facts, Heading, Notice, Panel } from "../../parts/panels.tsx";
import { Done } from "../../parts/states.tsx";
import { to } from "../../paths.ts";
import { mayManage, VIEW_ONLY } from "../../session.ts";
import { SecretOnce } from "./secret-once.tsx";
import { Verify } from "./verify.tsx";
import { type EventTypesBody, WebhookFields } from "./webhook-fields.tsx";
import { NotSaved, problemsOf } from "./webhook-problems.tsx";
import {
  bodyOf,
  emptyValues,
  newKey,
  repeatedHeader,
  valuesOfForm,
  type WebhookValues,
} from "./webhook-values.ts";

interface Typed {
  values: WebhookValues;
  environment: Environment;
  key: string;
  error: ApiError | null;
  problems: Record<string, string>;
}

const PAGE = { title: "Add a webhook", section: "webhooks" } as const;

export function showNew(c: ConsoleContext): Promise<Response> {
  const environment = c.get("scope").environment ?? "production";
  return showForm(c, { values: emptyValues(), environment, key: newKey(), error: null, problems: {} }, 200);
}

export async function createNew(c: ConsoleContext): Promise<Response> {
  const form = await formOf(c);
  const values = valuesOfForm(form);
  const environment = ENVIRONMENTS.find((each) => each === form.environment) ?? "production";
  const key = form.key || newKey();
  const repeated = repeatedHeader(values);
  if (repeated !== null) {
    const problems = { headers: `${repeated} is named twice` };
    return showForm(c, { values, environment, key, error: null, problems }, 400);
  }
  const made = await c.get("api").send<{ webhook: ShownWebhook; secret?: string }>("POST", "/webhooks", {
    body: { ...bodyOf(values, true), environment },
    idempotencyKey: key,
  });
  if (made.ok) return showCreated(c, made.body.webhook, made.body.secret ?? null);
  const { error } = made;
  return showForm(c, { values, environment, key, error, problems: problemsOf(error) }, statusOfRefused(made));
}

async function showForm(
  c: ConsoleContext,
  typed: Typed,
  status: ReturnType<typeof statusOfRefused>,
): Promise<Response> {
  if (!mayManage(c.get("session")))
    return page(
      c,
      { ...PAGE, status },
      <>
        <Heading title="Add a webhook" />
        <Notice meaning="warning">
          <p>{VIEW_ONLY} Somebody who may manage them can add one.</p>
        </Notice>
      </>,
    );
  if (c.get("session").owner === null && c.get("scope").owner === null)
    return page(
      c,
      PAGE,
      <>
        <Heading title="Add a webhook" />
        <AskOwner what="webhooks" />
      </>,
    );
  const types = await c.get("api").get<EventTypesBody>("/event-types");
  return page(c, { ...PAGE, status }, <Form typed={typed} types={types} />);
}

function Form({ typed, types }: { typed: Typed; types: ApiResult<EventTypesBody> }) {
  const { session, scope } = usePage();
  const { values, environment, key, error, problems } = typed;
  const owner = session.owner ?? scope.owner;
  return (
    <>
      <Heading title="Add a webhook">
        An address of yours that is told what happens to {owner?.id}'s reports, audits and policies.
      </Heading>
      {error !== null && <NotSaved error={error} what="The webhook was not added." />}
      <div class="fields">
        <ActionForm hidden={{ key }} submit="Add webhook" busy="Adding…">
          <div class="fields">
            <fieldset>
              <legend>Environment</legend>
              {ENVIRONMENTS.map((each) => (
                <label class="choice">
                  <input type="radio" name="environment" value={each} checked={each === environment} />
                  <span>
                    {sentence(each)}{" "}
                    <span class="small quiet">
                      {each === "sandbox" ? "Events of test data alone." : "Events of real data."}
                    </span>
                  </span>
                </label>
              ))}
              <span class="small quiet">
                Cannot be changed later. Add a second webhook for the other one.
              </span>
            </fieldset>
            <WebhookFields values={values} types={types} problems={problems} webhook={null} />
          </div>
        </ActionForm>
      </div>
    </>
  );
}

function showCreated(c: ConsoleContext, webhook: ShownWebhook, secret: string | null): Response {
  return page(
    c,
    { title: "Webhook added", section: "webhooks" },
    <>
      <Heading title="Webhook added" />
      <Done>The webhook is active: the next event that it asks for is sent to it.</Done>
      <div class="columns">
        <div class="stack">
          {secret === null ? (
            <Notice meaning="warning">
              <p>
                <strong>The secret was shown when the webhook was added, and cannot be shown again.</strong>{" "}
                If it is lost, <Link href={to.webhook(webhook.id, { tab: "secrets" })}>rotate it</Link>.
              </p>
            </Notice>
          ) : (
            <SecretOnce secret={secret} />
          )}
          <Panel title="The webhook">
            <Facts
              facts={[
                ["Address", webhook.url_masked],
                ["Environment", sentence(webhook.environment)],
                ["Events", <code>{webhook.events.join(", ")}</code>],
              ]}
            />
          </Panel>
          <p class="buttons">
            <ButtonLink href={to.webhook(webhook.id, { tab: "test" })} class="primary">
              Send a test
            </ButtonLink>
            <Link href={to.webhook(webhook.id)}>Go to the webhook</Link>
          </p>
        </div>
        <Verify webhook={webhook} />
      </div>
    </>,
  );
}
