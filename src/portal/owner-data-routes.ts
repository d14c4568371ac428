/**
 * `DELETE /owners/{owner_type}/{owner_id}/data`: erases what rests under an owner's key, all that is outbound: events,
 * webhooks' secrets and headers, receivers' answers. Nothing is sent from the answer on; the key is deleted some days later.
 */
import { Hono } from "hono";
import * as z from "zod";
import { answer } from "../contract/answer.ts";
import { like } from "../contract/examples.ts";
import { moment, success } from "../contract/fields.ts";
import { newAuditRow } from "../db/audit.ts";
import { setErasure } from "../db/owner-erasure.ts";
import { ownerName } from "../db/owner-keys.ts";
import { type AppEnv, failureResponse } from "../http/context.ts";
import { iso } from "../http/iso.ts";
import { ERASE_AFTER_MS } from "../maintenance/erasure.ts";
import { mayActFor, type Owner, ownerId, ownerType } from "./owner.ts";
import { deletion, portalContracts } from "./portal-contract.ts";

const ownerPath = z.object({ owner_type: ownerType, owner_id: ownerId });

const eraseData = portalContracts("Operations")({ query: deletion }, () => ({
  id: "eraseOwnerData",
  summary: "Erase what is outbound of an owner",
  description:
    "Its webhooks are disabled at once. Seven days later its events are deleted, its webhooks, and its data key: no secret, header or kept answer opens any more, and what still waits is closed. Until then `erase=false` takes it back; the webhooks stay disabled. May be repeated. Connections and API keys are not touched.",
  answers: {
    200: answer(
      "`erase_at` says when it is erased; null for never, and where nothing outbound of it is kept.",
      { success: success(), erase_at: like(moment().nullable(), "2026-03-23T10:30:00.000Z") },
    ),
  },
  failures: [{ kind: "owner_not_found" }],
}));

export const ownerData = new Hono<AppEnv>().delete(
  "/owners/:owner_type/:owner_id/data",
  eraseData,
  async (c) => {
    const named = ownerPath.safeParse(c.req.param());
    if (!named.success) return failureResponse(c, { kind: "owner_not_found" });
    const owner: Owner = { type: named.data.owner_type, id: named.data.owner_id };
    if (!mayActFor(c.get("client"), owner)) return failureResponse(c, { kind: "owner_not_found" });
    const now = Date.now();
    const eraseAt = c.req.valid("query").erase === "false" ? null : now + ERASE_AFTER_MS;
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
    return c.json({ success: true, erase_at: iso(erasure?.eraseAt ?? null) });
  },
);
