/**
 * `DELETE /owners/{owner_type}/{owner_id}/data` erases everything sealed under an owner's key, which is all outbound data:
 * events, webhooks' secrets and headers, receivers' responses. Sending stops at once; the key is deleted some days later.
 */
import { Hono } from "hono";
import * as z from "zod";
import { answer } from "../contract/answer.ts";
import { like } from "../contract/examples.ts";
import { moment, success } from "../contract/fields.ts";
import { setErasure } from "../db/owner-erasure.ts";
import { ownerName } from "../db/owner-keys.ts";
import { type AppEnv, failureResponse } from "../http/context.ts";
import { iso } from "../http/iso.ts";
import { ERASE_AFTER_MS } from "../maintenance/erasure.ts";
import { actionRow } from "./audit-row.ts";
import { mayActFor, type Owner, ownerId, ownerType } from "./owner.ts";
import { deletion, portalContracts } from "./portal-contract.ts";

const ownerPath = z.object({ owner_type: ownerType, owner_id: ownerId });

const eraseData = portalContracts("Operations")({ query: deletion }, () => ({
  id: "eraseOwnerData",
  summary: "Erase an owner's outbound data",
  description:
    "Disables the owner's webhooks at once. After seven days its events, webhooks, portal links, sessions and data key are deleted: stored secrets, headers and responses become unreadable, pending deliveries are closed, and the people of its sessions are signed out. Until then `erase=false` cancels the erasure; the webhooks stay disabled. Safe to repeat. Connections and API keys are not affected.",
  answers: {
    200: answer(
      "`erase_at` is when the data is erased; null for never, or if the owner has no outbound data.",
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
    const auditRow = actionRow(c, {
      at: now,
      kind: "owner",
      what: eraseAt === null ? "erasure_withdrawn" : "erasure_set",
      subjectId: ownerName(owner),
      owner,
      after: eraseAt === null ? { erase_at: null } : { erase_at: eraseAt, webhooks: "disabled" },
    });
    const erasure = await setErasure(c.env.DB, owner, eraseAt, auditRow, now);
    // An owner without a key has no outbound data.
    return c.json({ success: true, erase_at: iso(erasure?.eraseAt ?? null) });
  },
);
