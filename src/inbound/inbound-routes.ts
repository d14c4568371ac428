/** `POST /webhook/inbound/{connection_id}`: signed reports from payroll systems. */
import { Hono } from "hono";
import { described } from "../contract/contract.ts";
import { bodyBudget } from "../http/body-budget.ts";
import { clientAddress } from "../http/client-address.ts";
import { type AppContext, type AppEnv, addLogFields, failureResponse } from "../http/context.ts";
import { repeatable } from "../http/repeat-promise.ts";
import { abuseLimiter } from "./abuse-limiter.ts";
import { readConnectionSender } from "./connection-sender.ts";
import { receiveReport, receiveWithoutConnection } from "./inbound-contract.ts";
import { traceReceived } from "./leave-evidence.ts";
import { respond } from "./respond.ts";
import { SenderCache } from "./sender-cache.ts";
import { receiveSigned } from "./signed-intake.ts";

/** Kept by the isolate between requests: plain data only. */
export const connectionSenders = new SenderCache(readConnectionSender);

/** The contracts are attached to the handlers: a middleware would cost every report a call. */
export const inbound = new Hono<AppEnv>()
  .post("/webhook/inbound/:connection_id", repeatable("file", described(receiveReport, receive)))
  .post(
    "/webhook/inbound",
    described(receiveWithoutConnection, (c: AppContext) =>
      failureResponse(c, { kind: "invalid_connection_id" }),
    ),
  );

async function receive(c: AppContext): Promise<Response> {
  const given = c.req.param("connection_id") ?? "";
  const id = given.toLowerCase();
  const address = clientAddress(c.req.raw.headers);
  const heldBack = abuseLimiter.heldBack(address, id, Date.now());
  if (heldBack !== null) return failureResponse(c, heldBack);

  const received = await receiveSigned(given, c.req.raw, c.get("requestId"), connectionSenders, {
    env: c.env,
    settings: c.get("settings"),
    budget: bodyBudget,
    account: abuseLimiter.account(address, id),
    waitUntil: (work) => c.executionCtx.waitUntil(work),
  });
  const { outcome, sender } = received;
  traceReceived(c, received);
  addLogFields(c, { connection_id: sender?.id ?? null });
  const failure = outcome.ok ? null : outcome.error.kind;
  if (failure === "webhook_connection_not_found" || failure === "invalid_signature")
    c.executionCtx.waitUntil(abuseLimiter.count(address, id, c.env.REFUSALS));
  return respond(c, received, { connection_id: id });
}
