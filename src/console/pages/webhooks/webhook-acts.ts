/** What the forms of a webhook's page do. Each is a call of the API, and leads back to an address that says what was done. */
import type { ShownWebhook } from "../../../portal/webhooks/webhook-contract.ts";
import type { RefusedCall } from "../../api.ts";
import type { ConsoleContext } from "../../console-host.ts";
import { formOf } from "../../form.ts";
import { statusOfRefused } from "../../page.tsx";
import { withScope } from "../../page-scope.ts";
import { instantOf } from "../../parts/filters.tsx";
import { to } from "../../paths.ts";
import { showWebhook } from "./webhook-page.tsx";
import { bodyOf, repeatedHeader, valuesOfForm } from "./webhook-values.ts";

type Form = Record<string, string>;
type Act = (c: ConsoleContext, path: string, form: Form) => Promise<Response>;

const ACTS: Record<string, Act> = {
  pause: (c, path, form) => setStatus(c, path, form, "paused", "paused"),
  disable: (c, path, form) => setStatus(c, path, form, "disabled", "disabled"),
  resume: (c, path, form) => setStatus(c, path, form, "active", "resumed"),
  enable: (c, path, form) => setStatus(c, path, form, "active", "enabled"),
  delete: remove,
  settings: saveSettings,
  test: sendTest,
  rotate,
  activate,
  replay,
  "end-replay": endReplay,
};

export async function actOnWebhook(c: ConsoleContext): Promise<Response> {
  const form = await formOf(c);
  const act = Object.hasOwn(ACTS, form.act ?? "") ? ACTS[form.act ?? ""] : undefined;
  if (act === undefined) return showWebhook(c, { status: 400 });
  return act(c, `/webhooks/${encodeURIComponent(c.req.param("webhook_id") ?? "")}`, form);
}

function back(c: ConsoleContext, query: Record<string, string | null>): Response {
  const id = c.req.param("webhook_id") ?? "";
  return c.redirect(withScope(to.webhook(id, query), c.get("scope")), 303);
}

function refuse(c: ConsoleContext, refused: RefusedCall): Promise<Response> {
  return showWebhook(c, { status: statusOfRefused(refused), refused: refused.error });
}

const tabOf = (c: ConsoleContext) => new URL(c.req.url).searchParams.get("tab");

async function setStatus(
  c: ConsoleContext,
  path: string,
  form: Form,
  status: ShownWebhook["status"],
  done: string,
): Promise<Response> {
  const changed = await c.get("api").send("PATCH", path, { body: { status }, ifMatch: form.etag ?? null });
  if (!changed.ok) return refuse(c, changed);
  if (form.replay !== "yes") return back(c, { tab: tabOf(c), done });
  const begun = await beginReplay(c, path, form, "failed");
  // The webhook is active all the same.
  return back(c, { done: begun.ok ? "replaying" : "not-replayed" });
}

function beginReplay(c: ConsoleContext, path: string, form: Form, only: string) {
  const until = instantOf(form.until ?? null);
  const body = { since: instantOf(form.since ?? null) ?? "", ...(until && { until }), only };
  return c.get("api").send("POST", `${path}/replay`, { body });
}

async function replay(c: ConsoleContext, path: string, form: Form): Promise<Response> {
  const begun = await beginReplay(c, path, form, form.only ?? "failed");
  return begun.ok ? back(c, { done: "replaying" }) : refuse(c, begun);
}

async function endReplay(c: ConsoleContext, path: string, form: Form): Promise<Response> {
  const id = encodeURIComponent(form.replay ?? "");
  const ended = await c.get("api").send("DELETE", `${path}/replays/${id}`);
  return ended.ok ? back(c, { done: "replay-ended" }) : refuse(c, ended);
}

async function remove(c: ConsoleContext, path: string, form: Form): Promise<Response> {
  const removed = await c.get("api").send("DELETE", path, { ifMatch: form.etag ?? null });
  if (!removed.ok) return refuse(c, removed);
  return c.redirect(withScope(to.webhooks({ done: "deleted" }), c.get("scope")), 303);
}

async function saveSettings(c: ConsoleContext, path: string, form: Form): Promise<Response> {
  const values = valuesOfForm(form);
  const repeated = repeatedHeader(values);
  if (repeated !== null) {
    const problems = { headers: `${repeated} is named twice` };
    return showWebhook(c, { status: 400, unsaved: { values, problems, error: null } });
  }
  const saved = await c
    .get("api")
    .send("PATCH", path, { body: bodyOf(values, false), ifMatch: form.etag ?? null });
  if (saved.ok) return back(c, { tab: "settings", done: "saved" });
  return showWebhook(c, {
    status: statusOfRefused(saved),
    unsaved: { values, problems: {}, error: saved.error },
  });
}

async function sendTest(c: ConsoleContext, path: string, form: Form): Promise<Response> {
  const type = form.type ?? "";
  const sent = await c.get("api").send<{ delivery_id: string }>("POST", `${path}/test`, { query: { type } });
  return sent.ok ? back(c, { tab: "test", type, sent: sent.body.delivery_id }) : refuse(c, sent);
}

async function rotate(c: ConsoleContext, path: string, form: Form): Promise<Response> {
  const overlap = /^\d{1,7}$/.test(form.overlap ?? "") ? { overlap_seconds: Number(form.overlap) } : {};
  const rotated = await c
    .get("api")
    .send<{ secret: string }>("POST", `${path}/rotate-secret`, { body: overlap, ifMatch: form.etag ?? null });
  return rotated.ok ? showWebhook(c, { secret: rotated.body.secret }) : refuse(c, rotated);
}

async function activate(c: ConsoleContext, path: string, form: Form): Promise<Response> {
  const activated = await c
    .get("api")
    .send("POST", `${path}/activate-secret`, { ifMatch: form.etag ?? null });
  return activated.ok ? back(c, { tab: "secrets", done: "activated" }) : refuse(c, activated);
}
