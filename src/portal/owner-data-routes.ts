/**
 * `DELETE /owners/{owner_type}/{owner_id}/data`: erases what rests under an owner's key, all that is outbound: events,
 * webhooks' secrets and headers, receivers' answers. Nothing is sent from the answer on; the key is deleted some days later.
 */
import { Hono } from "hono";
import * as z from "zod";
import { newAuditRow } from "../db/audit.ts";
import { setErasure } from "../db/owner-erasure.ts";
import { ownerName } from "../db/owner-keys.ts";
import { type AppEnv, failureResponse } from "../http/context.ts";
import { iso } from "../http/iso.ts";
import { parseQuery } from "../http/validation.ts";
import { ERASE_AFTER_MS } from "../maintenance/erasure.ts";
import { mayActFor, NO_OWNER, type Owner, ownerId, ownerType } from "./owner.ts";
import { deletion } from "./portal-contract.ts";

export const ownerPath = z.object({
  owner_type: ownerType,
  owner_id: ownerId.meta({ examples: ["acme-payroll"] }),
});

export const ownerData = new Hono<AppEnv>().delete("/owners/:owner_type/:owner_id/data", async (c) => {
  const query = parseQuery(c, deletion);
  if ("failure" in query) return failureResponse(c, query.failure);
  const named = ownerPath.safeParse(c.req.param());
  if (!named.success) return failureResponse(c, NO_OWNER);
  const owner: Owner = { type: named.data.owner_type, id: named.data.owner_id };
  if (!mayActFor(c.get("client"), owner)) return failureResponse(c, NO_OWNER);
  const now = Date.now();
  const eraseAt = query.value.erase === "false" ? null : now + ERASE_AFTER_MS;
  const auditRow = newAuditRow({
    at: now,
    actor: c.get("client").actor,
    requestId: c.get("requestId"),
    kind: "owner",
    what: eraseAt === null ? "erasure_withdrawn" : "erasure_set",
    subjectId: ownerName(owner),
    owner,
    before: null,
    after: eraseAt === null ? { erase_at: null } : { erase_at: eraseAt, webhooks: "disabled" },
  });
  const erasure = await setErasure(c.env.DB, owner, eraseAt, auditRow, now);
  // An owner without a key has nothing outbound that is to be erased.
  const at = erasure?.eraseAt ?? null;
  return c.json({ success: true, erase_at: at && iso(at) });
});
