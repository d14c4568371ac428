/** Webhooks: register, list, read, change, delete, test, rotate and activate the secret. A secret is returned only when it is created. */
import { Hono } from "hono";
import { webhookHeadersContext, webhookSecretContext } from "../../crypto/contexts.ts";
import { newObjectId } from "../../crypto/ids.ts";
import { type DataKey, SealBroken, sealText, unsealText } from "../../crypto/vault.ts";
import { countSkipped, type Skipped } from "../../db/deliveries.ts";
import { storedAt } from "../../db/events.ts";
import { currentOwnerKey, findOwnerKey, type OwnerAddress, ownerKey } from "../../db/owner-keys.ts";
import type { StoredHeaders, StoredWebhookSecret } from "../../db/schema.ts";
import {
  getAnyWebhook,
  insertWebhook,
  listWebhooks,
  type Webhook,
  type WebhookChange,
} from "../../db/webhooks.ts";
import { type AppContext, type AppEnv, addLogFields, failureResponse } from "../../http/context.ts";
import type { Failure } from "../../http/failure.ts";
import { iso } from "../../http/iso.ts";
import { pageOf } from "../../http/page.ts";
import { setETag } from "../../http/precondition.ts";
import { logError } from "../../log.ts";
import { tryWakeEndpoints } from "../../messages.ts";
import { checkCustomHeaders } from "../../outbound/custom-headers.ts";
import { checkEventPatterns } from "../../outbound/event-types.ts";
import { hasUrl, sealUrl, unsealUrl } from "../../outbound/sealed-url.ts";
import { activated, rotated, signingOrder } from "../../outbound/secret-rotation.ts";
import { newWebhookSecret } from "../../outbound/signing.ts";
import { sendTest } from "../../outbound/test-delivery.ts";
import { checkUrl, describeUrlProblem } from "../../outbound/url-policy.ts";
import { err, ok, type Result } from "../../result.ts";
import { answerManaged, changeManaged, findManaged, notFound } from "../change.ts";
import { type Creatable, create, type Made } from "../creation.ts";
import { type Owner, ownerOf } from "../owner.ts";
import * as contract from "./webhook-contract.ts";
import {
  MAX_SECRETS,
  MAX_WEBHOOKS,
  type NewWebhook,
  type ShownSkipped,
  TOO_MANY_SECRETS,
  TOO_MANY_WEBHOOKS,
  WEBHOOK_LIST,
  type WebhookPatch,
} from "./webhook-contract.ts";
import { ANY_WEBHOOK, endpointOf, presentWebhook, WEBHOOK } from "./webhook-presenter.ts";

export const webhooks = new Hono<AppEnv>()
  .post("/webhooks", contract.createWebhook, async (c) => {
    const body = c.req.valid("json");
    const owned = ownerOf(c.get("client"), body);
    if (!owned.ok) return failureResponse(c, owned.error);
    const owner = owned.value;
    return create(c, CREATABLE, { owner, body }, () => makeWebhook(c, owner, body));
  })
  .get("/webhooks", contract.listWebhooks, async (c) => {
    const query = c.req.valid("query");
    const { limit, cursor, status } = query;
    const owned = ownerOf(c.get("client"), query);
    if (!owned.ok) return failureResponse(c, owned.error);
    const environment = query.environment === "all" ? undefined : query.environment;
    const found = await listWebhooks(c.env.DB, owned.value, { environment, status }, cursor ?? null, limit);
    const page = pageOf(WEBHOOK_LIST, found, limit, ({ created_at, id }) => [created_at, id]);
    const now = Date.now();
    return c.json({
      webhooks: page.rows.map((row) => presentWebhook(row, now)),
      next_cursor: page.next_cursor,
    });
  })
  .get("/webhooks/:webhook_id", contract.getWebhook, async (c) => {
    const found = await findManaged(c, WEBHOOK);
    if (!found.ok) return failureResponse(c, found.error);
    const skipped = await countSkipped(c.env.DB, found.value.id);
    const url = await addressOf(found.value, await presentKeyOf(c, found.value));
    return c.json({ webhook: versioned(c, found.value, url, skipped), skipped: presentSkipped(skipped) });
  })
  .patch("/webhooks/:webhook_id", contract.changeWebhook, (c) => change(c, c.req.valid("json")))
  .put("/webhooks/:webhook_id", contract.putWebhook, (c) => change(c, c.req.valid("json")))
  .delete("/webhooks/:webhook_id", contract.deleteWebhook, async (c) => {
    const changed = await changeManaged(c, ANY_WEBHOOK, "deleted", (row, now) =>
      ok({ deleted_at: row.deleted_at ?? now }),
    );
    return answerManaged(c, changed, () => c.json({ message: "webhook_deleted" }));
  })
  .post("/webhooks/:webhook_id/test", contract.testWebhook, async (c) => {
    const found = await findManaged(c, WEBHOOK);
    if (!found.ok) return failureResponse(c, found.error);
    const sent = await sendTest(c.env.DB, found.value, c.req.valid("query").type, c.get("settings"));
    if (sent === null) return failureResponse(c, notFound("webhook"));
    const { eventId, deliveryId, attempt } = sent;
    addLogFields(c, { outcome: attempt.kind, delivery_id: deliveryId });
    return c.json({
      success: attempt.kind === "delivered",
      event_id: eventId,
      delivery_id: deliveryId,
      outcome: attempt.kind,
      status: attempt.status,
      ms: attempt.ms,
      answer: attempt.answer,
      headers: attempt.headers ?? null,
      tls_cause: attempt.tlsCause ?? null,
    });
  })
  .post("/webhooks/:webhook_id/rotate-secret", contract.rotateSecret, async (c) => {
    const { overlap_seconds } = c.req.valid("json");
    let secret = "";
    let key: DataKey | null = null;
    const changed = await changeManaged(c, WEBHOOK, "secret_rotated", async (row, now) => {
      key = await keyOf(c, row);
      const made = await newSecret(key, row.id, now);
      const secrets = rotated(row.secrets, made.stored, overlap_seconds * 1_000, now);
      if (secrets.length > MAX_SECRETS) return err(TOO_MANY_SECRETS);
      secret = made.secret;
      return ok({ secrets });
    });
    return answerManaged(c, changed, (row) => shown(c, row, { success: true }, { secret }, key));
  })
  .post("/webhooks/:webhook_id/activate-secret", contract.activateSecret, async (c) => {
    const changed = await changeManaged(c, WEBHOOK, "secret_activated", (row, now) =>
      ok({ secrets: activated(signingOrder(row.secrets, now)) }),
    );
    return answerManaged(c, changed, (row) => shown(c, row, { success: true }));
  });

async function change(c: AppContext, body: WebhookPatch): Promise<Response> {
  const checked = checkSettings(c, body);
  if (!checked.ok) return failureResponse(c, checked.error);
  const { headers, status, url: _given, ...settings } = body;
  const { url, ...events } = checked.value;
  const changed = await changeManaged(c, WEBHOOK, "updated", async (row, now) => {
    const change: WebhookChange = { ...settings, ...events };
    if (headers !== undefined)
      change.headers = headers && (await sealHeaders(await keyOf(c, row), row.id, headers, now));
    if (status !== undefined && status !== row.status)
      Object.assign(change, { status, ...statusChange(row, status, now) });
    // A new pace applies at once.
    if (settings.max_per_minute !== undefined) change.paced_until = 0;
    if (url !== undefined) {
      const key = await keyOf(c, row);
      if (!(await hasUrl(key, row, url)))
        Object.assign(change, UNTRIED_COLUMNS, await sealUrl(key, row.id, url));
    }
    return ok(change);
  });
  return answerManaged(c, changed, (row) => {
    // Deliveries that a paused webhook held are already due.
    if (status === "active") c.executionCtx.waitUntil(tryWakeEndpoints(c.env, [endpointOf(row, Date.now())]));
    return shown(c, row, { success: true });
  });
}

const CREATABLE: Creatable<Webhook> = {
  managed: WEBHOOK,
  find: (c, id) => getAnyWebhook(c.env.DB, id),
  dataKey: presentKeyOf,
  async secretOf(_c, row, _token, dataKey) {
    const [secret] = row.secrets;
    if (secret === undefined || row.status === "disabled" || row.deleted_at !== null) return null;
    return unsealText(dataKey, secret.sealed, webhookSecretContext(row.id, secret.id));
  },
  present: async (c, row, secret, dataKey) => {
    const webhook = versioned(c, row, await addressOf(row, dataKey));
    return c.json({ success: true, webhook, ...secret }, 201);
  },
};

async function makeWebhook(
  c: AppContext,
  owner: Owner,
  given: NewWebhook,
): Promise<Result<Made<Webhook>, Failure>> {
  const { environment, owner_type: _type, owner_id: _id, headers, ...settings } = given;
  const checked = checkSettings(c, given);
  if (!checked.ok) return checked;
  const now = Date.now();
  const id = newObjectId();
  const { key, createdAt } = await currentOwnerKey(c.env.DB, c.get("settings").keyRing, owner);
  const { secret, stored } = await newSecret(key, id, now);
  const { url, ...events } = checked.value;
  const row: Webhook = {
    ...settings,
    ...events,
    ...(await sealUrl(key, id, url)),
    id,
    owner_type: owner.type,
    owner_id: owner.id,
    environment,
    description: settings.description ?? null,
    status: "active",
    disabled_reason: null,
    notification_email: settings.notification_email ?? null,
    max_per_minute: settings.max_per_minute ?? null,
    headers: headers ? await sealHeaders(key, id, headers, now) : null,
    secrets: [{ ...stored, activated: true }],
    ...UNTRIED_COLUMNS,
    mailed_at: null,
    failure_mailed_at: null,
    paused_at: null,
    expiry_notified_seq: 0,
    pace: null,
    paced_until: 0,
    holder: null,
    held_until: 0,
    version: now,
    created_at: now,
    updated_at: now,
    deleted_at: null,
  };
  const insert: Made<Webhook>["insert"] = (auditRow, creation) =>
    insertWebhook(c.env.DB, row, auditRow, { creation, most: MAX_WEBHOOKS, keyCreatedAt: createdAt });
  const findRefusal = async () => {
    const current = await findOwnerKey(c.env.DB, c.get("settings").keyRing, owner);
    return current?.createdAt === createdAt ? TOO_MANY_WEBHOOKS : null;
  };
  return ok({ row, secret, dataKey: key, sealedToken: null, insert, findRefusal });
}

/** A new address starts without history. */
const UNTRIED_COLUMNS = {
  consecutive_failures: 0,
  failing_since: null,
  last_success_at: null,
  slow_at: null,
  proven_at: null,
  last_failure: null,
  failure_level: 0,
};

/** The other fields that change with a webhook's status. */
function statusChange(row: Webhook, status: Webhook["status"], now: number): WebhookChange {
  const change: WebhookChange = {
    disabled_reason: status === "disabled" ? "requested" : null,
    paused_at: status === "paused" ? now : null,
  };
  // The same address starts over without its failures.
  if (row.status === "disabled") return { ...change, ...UNTRIED_COLUMNS, proven_at: row.proven_at };
  // The time of the pause does not count towards disabling the webhook.
  if (row.failing_since !== null && row.paused_at !== null)
    change.failing_since = Math.min(now, row.failing_since + Math.max(0, now - row.paused_at));
  return change;
}

function presentSkipped({ count, first, last }: Skipped): ShownSkipped {
  return {
    count,
    first_at: first === null ? null : iso(storedAt(first)),
    last_at: last === null ? null : iso(storedAt(last)),
  };
}

interface Checked {
  url?: string | undefined;
  events?: string[] | undefined;
}

/** Checks the settings that a schema alone cannot check, and returns them in their stored form. */
function checkSettings<Given extends Checked & { headers?: Record<string, string> | null | undefined }>(
  c: AppContext,
  { url, events, headers }: Given,
): Result<Pick<Given, keyof Checked>, Failure> {
  const target = url === undefined ? null : checkUrl(url, c.get("settings").urlPolicy);
  const wanted = events === undefined ? null : checkEventPatterns(events);
  const added = headers == null ? null : checkCustomHeaders(headers);
  const details = {
    ...(url !== undefined && target?.ok === false && { url: describeUrlProblem(url, target.error) }),
    ...(wanted !== null && !wanted.ok && wanted.error),
    ...(added !== null && !added.ok && added.error),
  };
  if (Object.keys(details).length > 0) return err({ kind: "invalid_fields", details });
  const settings = { ...(target?.ok && { url: target.value }), ...(wanted?.ok && { events: wanted.value }) };
  return ok(settings as Pick<Given, keyof Checked>);
}

function keyOf(c: AppContext, row: Webhook): Promise<DataKey> {
  const owner: OwnerAddress = { type: row.owner_type, id: row.owner_id };
  return ownerKey(c.env.DB, c.get("settings").keyRing, owner);
}

/** Null if the owner has no key any more. */
async function presentKeyOf(c: AppContext, row: Webhook): Promise<DataKey | null> {
  const owner: OwnerAddress = { type: row.owner_type, id: row.owner_id };
  const found = await findOwnerKey(c.env.DB, c.get("settings").keyRing, owner);
  return found?.key ?? null;
}

async function newSecret(
  key: DataKey,
  webhookId: string,
  now: number,
): Promise<{ secret: string; stored: StoredWebhookSecret }> {
  const id = newObjectId();
  const secret = newWebhookSecret();
  const sealed = await sealText(key, secret, webhookSecretContext(webhookId, id));
  return { secret, stored: { id, sealed, created_at: now, expires_at: null, activated: false } };
}

async function sealHeaders(
  key: DataKey,
  webhookId: string,
  headers: Record<string, string>,
  now: number,
): Promise<StoredHeaders | null> {
  const names = Object.keys(headers);
  if (names.length === 0) return null;
  const sealed = await sealText(key, JSON.stringify(headers), webhookHeadersContext(webhookId));
  return { names, set_at: now, sealed };
}

async function shown(
  c: AppContext,
  row: Webhook,
  before: object = {},
  after: object = {},
  key: DataKey | null = null,
): Promise<Response> {
  const url = await addressOf(row, key ?? (await presentKeyOf(c, row)));
  return c.json({ ...before, webhook: versioned(c, row, url), ...after });
}

/** The presented webhook. Sets the ETag, which also covers the skipped deliveries if the response shows them. */
function versioned(c: AppContext, row: Webhook, url: string | null, skipped: Skipped | null = null) {
  const webhook = { url, ...presentWebhook(row, Date.now()) };
  setETag(c, row.version, skipped === null || skipped.count === 0 ? webhook : [webhook, skipped]);
  return webhook;
}

/** Null if the URL is sealed under an erased key: the webhook can still be managed, and given another address. */
async function addressOf(row: Webhook, key: DataKey | null): Promise<string | null> {
  try {
    return key === null ? null : await unsealUrl(key, row);
  } catch (error) {
    if (!(error instanceof SealBroken)) throw error;
    logError("failed to unseal a webhook's address", { webhook_id: row.id }, error);
    return null;
  }
}
