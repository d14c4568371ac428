/** The audit rows of requests. */
import { type AuditEntry, type AuditRow, newAuditRow } from "../db/audit.ts";
import type { AppContext } from "../http/context.ts";

/** The client that makes the request, and the request's id, as audit rows name them. */
export function madeBy(c: AppContext): Pick<AuditEntry, "actor" | "requestId"> {
  return { actor: c.get("client").actor, requestId: c.get("requestId") };
}

/** The audit row of a request that does something with an object, as opposed to changing its fields. */
export function actionRow(
  c: AppContext,
  action: Omit<AuditEntry, "actor" | "requestId" | "before">,
): AuditRow {
  return newAuditRow({ ...action, ...madeBy(c), before: null });
}
