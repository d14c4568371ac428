/** `POST /webhook/inbound/{connection_id}`: the door for payroll systems. */
import { Hono } from "hono";
import { bodyBudget } from "../http/body-budget.ts";
import { clientAddress } from "../http/client-address.ts";
import { type AppEnv, failureResponse, note } from "../http/context.ts";
import { abuseLimiter } from "./abuse-limiter.ts";
import { ConnectionDirectory } from "./connection-sender.ts";
import { answerReceived } from "./respond.ts";
import { receiveSigned } from "./signed-intake.ts";

/** What an isolate keeps between requests: plain data only. */
export const directory = new ConnectionDirectory();

export const inbound = new Hono<AppEnv>();

inbound.post("/webhook/inbound", (c) => failureResponse(c, { kind: "invalid_connection_id" }));

inbound.post("/webhook/inbound/:connection_id", async (c) => {
  const given = c.req.param("connection_id");
  const id = given.toLowerCase();
  const address = clientAddress(c.req.raw.headers);
  const heldBack = abuseLimiter.heldBack(address, id, Date.now());
  if (heldBack !== null) return failureResponse(c, heldBack);

  const deps = {
    env: c.env,
    settings: c.get("settings"),
    directory,
    budget: bodyBudget,
    lookUps: abuseLimiter.lookUps(address, id),
    waitUntil: (work: Promise<unknown>) => c.executionCtx.waitUntil(work),
  };
  const received = await receiveSigned(given, c.req.raw, c.get("requestId"), deps);
  note(c, { connection_id: received.sender?.id ?? null });
  const failure = "failure" in received ? received.failure.kind : null;
  if (failure === "connection_not_found" || failure === "invalid_signature")
    c.executionCtx.waitUntil(abuseLimiter.count(address, id, c.env.REFUSALS));
  return answerReceived(c, received, { connection_id: id });
});
