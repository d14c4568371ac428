/**
 * `GET /lookup/{id}`: what any id names, and everything related. The id's form decides where to look, and only that place is
 * asked. An object outside the client's scope is answered like an id that does not exist.
 */
import { Hono } from "hono";
import { settingOr } from "../../env.ts";
import { type AppContext, type AppEnv, failureResponse } from "../../http/context.ts";
import type { Failure } from "../../http/failure.ts";
import { iso } from "../../http/iso.ts";
import type { Environment } from "../../model.ts";
import { err, ok, type Result } from "../../result.ts";
import { ownerOf } from "../owner.ts";
import { consoleOriginOf } from "../sessions/console-origin.ts";
import { consolePathOf } from "./console-path-of.ts";
import { type Found, type FoundObject, lookUp } from "./lookup-contract.ts";
import { formOf, type LookupForm } from "./lookup-form.ts";
import {
  findApiKey,
  findConnection,
  findDelivery,
  findEmployer,
  findEvent,
  findFile,
  findWebhook,
} from "./lookup-objects.ts";
import { findRequest } from "./lookup-requests.ts";

export const lookup = new Hono<AppEnv>().get("/lookup/:any_id", lookUp, async (c) => {
  const form = formOf(c.req.param("any_id"));
  const found = form === null ? ok(null) : await find(c, form, c.req.valid("query").environment);
  if (!found.ok) return failureResponse(c, found.error);
  return found.value === null ? failureResponse(c, notFound(form)) : c.json(withPage(c, found.value));
});

function withPage(c: AppContext, found: FoundObject): Found {
  const origin = settingOr(() => consoleOriginOf(c), null);
  return { ...found, console_url: origin === null ? null : `${origin}${consolePathOf(found)}` };
}

async function find(
  c: AppContext,
  form: LookupForm,
  environment: Environment | undefined,
): Promise<Result<FoundObject | null, Failure>> {
  switch (form.form) {
    case "request":
      return ok(await findRequest(c, form.request));
    case "file":
      return ok(await findFile(c, form.file));
    case "delivery":
      return ok(await findDelivery(c, form.key));
    case "webhook":
      return ok(await findWebhook(c, form.id));
    case "api_key":
      return ok(await findApiKey(c, form.id));
    case "object":
      return ok(await findObject(c, form.id, environment));
    case "event": {
      const owner = ownerOf(c.get("client"), {});
      return owner.ok ? ok(await findEvent(c, form.id, owner.value, environment)) : err(owner.error);
    }
    case "chosen":
      return ok(await findChosen(c, form.id, environment));
  }
}

/** Ids of connections, webhooks and keys are random, so at most one of these exists. */
async function findObject(
  c: AppContext,
  id: string,
  environment: Environment | undefined,
): Promise<FoundObject | null> {
  const found = await Promise.all([findConnection(c, id), findWebhook(c, id), findApiKey(c, id)]);
  return found.find((each) => each !== null) ?? findChosen(c, id, environment);
}

/** An employer; or, if the request implies an owner, an event with an id that its reporter chose. */
async function findChosen(
  c: AppContext,
  id: string,
  environment: Environment | undefined,
): Promise<FoundObject | null> {
  const owner = ownerOf(c.get("client"), {});
  const [event, employer] = await Promise.all([
    owner.ok ? findEvent(c, id, owner.value, environment) : null,
    findEmployer(c, id),
  ]);
  return employer ?? event;
}

/** Depends only on the id's form, so it does not reveal whether somebody else's object has the id. */
function notFound(form: LookupForm | null): Failure {
  if (form?.form !== "request") return { kind: "id_not_found" };
  return { kind: "id_not_found", requestedAt: iso(form.request.at) };
}
