/**
 * `POST /payroll/reports` and `POST /employees/sync`: the door for bearer keys. What is wrong with a body refuses it; what
 * is accepted goes the way of every report.
 */
import { Hono } from "hono";
import type { FileKind } from "../gate/protocol.ts";
import { bodyBudget } from "../http/body-budget.ts";
import { clientAddress } from "../http/client-address.ts";
import { type AppContext, type AppEnv, failureResponse, note } from "../http/context.ts";
import { abuseLimiter } from "../inbound/abuse-limiter.ts";
import type { StrictRules } from "../inbound/field-rules.ts";
import { checkBodyHeaders } from "../inbound/headers.ts";
import { STRICT_PAYROLL } from "../inbound/payroll-rules.ts";
import { receive } from "../inbound/receive.ts";
import { answerReceived } from "../inbound/respond.ts";
import { bearerOf, whyRefused } from "./bearer.ts";
import { EMPLOYEE_CHANGES } from "./employee-changes.ts";
import { keyDirectory } from "./key-sender.ts";
import { noteUse } from "./last-use.ts";
import { inspectStrictly } from "./validate-strictly.ts";

const NO_PREFIX = new Uint8Array(0);

export const reports = new Hono<AppEnv>()
  .post("/payroll/reports", (c) => take(c, "payroll_report", STRICT_PAYROLL))
  .post("/employees/sync", (c) => take(c, "employee_sync", EMPLOYEE_CHANGES));

async function take(c: AppContext, kind: FileKind, rules: StrictRules): Promise<Response> {
  const { headers } = c.req.raw;
  const bearer = await bearerOf(headers);
  if ("failure" in bearer) return failureResponse(c, bearer.failure);
  const { tokenSha256 } = bearer;
  const address = clientAddress(headers);
  const heldBack = abuseLimiter.heldBack(address, tokenSha256, Date.now());
  if (heldBack !== null) return failureResponse(c, heldBack);
  const settings = c.get("settings");
  const unusable = checkBodyHeaders(headers, settings.maxBodyBytes);
  if (unusable !== null) return failureResponse(c, unusable);

  const received = await receive(
    {
      kind,
      directory: keyDirectory,
      name: tokenSha256,
      prefix: NO_PREFIX,
      signed: null,
      whyClosed: (key) => whyRefused(key, bearer),
      verify: () => Promise.resolve(null),
      inspect: (body) => inspectStrictly(body, rules),
    },
    c.req.raw,
    c.get("requestId"),
    {
      env: c.env,
      settings,
      budget: bodyBudget,
      lookUps: abuseLimiter.lookUps(address, tokenSha256),
      waitUntil: (work) => c.executionCtx.waitUntil(work),
    },
  );
  const { sender: key } = received;
  note(c, { api_key_id: key?.id ?? null });
  if ("failure" in received && received.failure.kind === "unauthenticated") {
    c.executionCtx.waitUntil(abuseLimiter.count(address, tokenSha256, c.env.REFUSALS));
  } else if (key !== null) {
    const noting = noteUse(c.env.DB, key, Date.now());
    if (noting !== null) c.executionCtx.waitUntil(noting);
  }
  return answerReceived(c, received, key === null ? {} : { api_key_id: key.id });
}
