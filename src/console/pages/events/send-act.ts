/**
 * Sends an event to the sandbox, the whole way that the events of Audit1's services go. In production only they report: an event
 * counts there, and a webhook is tried by its own tests.
 */
import type { ConsoleContext } from "../../console-host.ts";
import { formOf } from "../../form.ts";
import { statusOfRefused } from "../../page.tsx";
import { withScope } from "../../page-scope.ts";
import { to } from "../../paths.ts";
import { showEvents } from "./event-list.tsx";
import { newEventId } from "./send-event.tsx";

export async function sendEvent(c: ConsoleContext): Promise<Response> {
  const form = await formOf(c);
  const { type = "", data: text = "" } = form;
  const id = form.id || newEventId();
  if (!isJson(text)) return showEvents(c, { status: 400, data: text, id, type, error: null });
  const head = { id, type, environment: "sandbox", metadata: { source: "console" } };
  // Goes on as it was typed: parsed and printed again, a long number would change without a word.
  const body = `${JSON.stringify(head).slice(0, -1)},"data":${text}}`;
  const sent = await c.get("api").send<{ id: string }>("POST", "/events", { body });
  if (!sent.ok)
    return showEvents(c, { status: statusOfRefused(sent), data: text, id, type, error: sent.error });
  return c.redirect(withScope(to.event(id, { environment: "sandbox", done: "sent" }), c.get("scope")), 303);
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
