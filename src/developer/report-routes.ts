/**
 * `POST /payroll/reports` and `POST /employees/sync`: reports from bearer keys. A body with invalid fields is refused; an
 * accepted report takes the same way as a signed one.
 */
import { Hono } from "hono";
import { type Describe, described } from "../contract/contract.ts";
import type { FileKind } from "../gate/protocol.ts";
import { bodyBudget } from "../http/body-budget.ts";
import { clientAddress } from "../http/client-address.ts";
import { type AppContext, type AppEnv, addLogFields, failureResponse } from "../http/context.ts";
import { repeatable } from "../http/repeat-promise.ts";
import { abuseLimiter } from "../inbound/abuse-limiter.ts";
import type { StrictRules } from "../inbound/field-rules.ts";
import { checkBodyHeaders } from "../inbound/headers.ts";
import type { Intake } from "../inbound/intake.ts";
import { traceReceived } from "../inbound/leave-evidence.ts";
import { STRICT_PAYROLL } from "../inbound/payroll-rules.ts";
import { receive } from "../inbound/receive.ts";
import { respond } from "../inbound/respond.ts";
import { type Bearer, KEY_NOT_FOUND, readBearer, refusalForKey } from "./bearer.ts";
import { submitPayrollReport, syncEmployees } from "./developer-report-contract.ts";
import { EMPLOYEE_CHANGES } from "./employee-changes.ts";
import { type KeySender, keySenders } from "./key-sender.ts";
import { recordUse } from "./last-use.ts";
import { validateStrictly } from "./validate-strictly.ts";

const NO_PREFIX = new Uint8Array(0);

export const reports = new Hono<AppEnv>()
  .post("/payroll/reports", intake(submitPayrollReport, "payroll_report", STRICT_PAYROLL))
  .post("/employees/sync", intake(syncEmployees, "employee_sync", EMPLOYEE_CHANGES));

/** The contract is attached to the handler: a middleware would cost every report a call. */
function intake(describe: Describe, kind: FileKind, rules: StrictRules) {
  return repeatable(
    "file",
    described(describe, (c: AppContext) => receiveReport(c, kind, rules)),
  );
}

async function receiveReport(c: AppContext, kind: FileKind, rules: StrictRules): Promise<Response> {
  const { headers } = c.req.raw;
  const bearer = await readBearer(headers, c.get("tokenSha256"));
  if (!bearer.ok) return failureResponse(c, bearer.error);
  const { tokenSha256 } = bearer.value;
  const address = clientAddress(headers);
  const heldBack = abuseLimiter.heldBack(address, tokenSha256, Date.now());
  if (heldBack !== null) return failureResponse(c, heldBack);
  const settings = c.get("settings");
  const unusable = checkBodyHeaders(headers, settings.maxBodyBytes);
  if (unusable !== null) return failureResponse(c, unusable);

  const intake = bearerIntake(bearer.value, kind, rules);
  const received = await receive(intake, c.req.raw, c.get("requestId"), {
    env: c.env,
    settings,
    budget: bodyBudget,
    account: abuseLimiter.account(address, tokenSha256),
    waitUntil: (work) => c.executionCtx.waitUntil(work),
  });
  const { outcome, sender: key } = received;
  traceReceived(c, received);
  addLogFields(c, { api_key_id: key?.id ?? null });
  const failure = outcome.ok ? null : outcome.error.kind;
  if (failure === "api_key_unknown" || failure === "api_key_inactive") {
    c.executionCtx.waitUntil(abuseLimiter.count(address, tokenSha256, c.env.REFUSALS));
  } else if (key !== null) {
    const recording = recordUse(c.env.DB, key, Date.now());
    if (recording !== null) c.executionCtx.waitUntil(recording);
  }
  return respond(c, received, key === null ? {} : { api_key_id: key.id });
}

function bearerIntake(bearer: Bearer, kind: FileKind, rules: StrictRules): Intake<KeySender> {
  return {
    kind,
    senders: keySenders,
    senderName: bearer.tokenSha256,
    prefix: NO_PREFIX,
    signed: null,
    unknownSender: KEY_NOT_FOUND,
    refusalFor: (key) => refusalForKey(key, bearer),
    verify: () => Promise.resolve(null),
    validate: (body) => validateStrictly(body, rules),
  };
}
