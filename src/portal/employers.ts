/** `PUT /employers/{id}`: an employer, and the owners it is granted to. */
import { Hono } from "hono";
import * as z from "zod";
import { type AuditRow, auditRow, changedFields } from "../db/audit.ts";
import {
  type EmployerWritten,
  getEmployer,
  normalizeFein,
  putEmployer,
  type StoredEmployer,
} from "../db/employers.ts";
import { nextVersion } from "../db/gates.ts";
import { type AppContext, type AppEnv, failureResponse } from "../http/context.ts";
import type { Failure } from "../http/failure.ts";
import { preconditionFailure, setETag } from "../http/precondition.ts";
import { parseJsonBody } from "../http/validation.ts";
import { mayActFor, ownerId, ownerType } from "./owner.ts";

const EMPLOYER_ID = /^[A-Za-z0-9_-]{1,64}$/;

/** A replacement as a whole does not depend on what it replaces: one that was overtaken is tried again. */
const MAX_ATTEMPTS = 3;

const FEIN_TAKEN = "Another employer has this FEIN.";
const REFUSALS: Record<Exclude<EmployerWritten, "written">, Failure> = {
  fein_taken: {
    kind: "portal",
    status: 409,
    error: "fein_taken",
    message: FEIN_TAKEN,
    details: { fein: FEIN_TAKEN },
  },
  overtaken: {
    kind: "portal",
    status: 409,
    error: "employer_changed",
    message: "The employer was changed by others at the same time. Read it again.",
  },
};

const employerBody = z.strictObject({
  fein: z
    .string()
    .refine((text) => normalizeFein(text) !== null, "Must be a FEIN of nine digits, such as 12-3456789")
    .nullish(),
  name: z.string().min(1, "Must not be empty").max(200, "Must have at most 200 characters"),
  owners: z
    .array(z.strictObject({ owner_type: ownerType, owner_id: ownerId }))
    .max(50, "At most 50 owners")
    .default([]),
});

export const employers = new Hono<AppEnv>().put("/employers/:id", async (c) => {
  const id = c.req.param("id");
  if (!EMPLOYER_ID.test(id)) {
    return failureResponse(c, {
      kind: "validation",
      message: "Invalid employer id",
      details: { id: "Must be 1 to 64 characters of A-Za-z0-9_-" },
    });
  }
  const body = await parseJsonBody(c, employerBody);
  if ("failure" in body) return failureResponse(c, body.failure);
  const { name, owners } = body.value;
  // Grants decide who may report for whom: only the portal itself may make them.
  if (
    c.get("client").owner !== undefined ||
    !owners.every((o) => mayActFor(c.get("client"), { type: o.owner_type, id: o.owner_id }))
  ) {
    return failureResponse(c, {
      kind: "portal",
      status: 404,
      error: "employer_not_found",
      message: "No such employer.",
    });
  }
  const fein = body.value.fein ? normalizeFein(body.value.fein) : null;
  for (let attempt = 1; ; attempt++) {
    const read = await getEmployer(c.env.DB, id);
    const failed = preconditionFailure(c, read?.version ?? 0);
    if (failed !== null) return failureResponse(c, failed);
    const now = Date.now();
    const wanted = { id, fein, name, owners, version: nextVersion(read?.version ?? 0, now) };
    const written = await putEmployer(c.env.DB, read, wanted, now, toldOf(c, read, wanted));
    if (written === "overtaken" && attempt < MAX_ATTEMPTS) continue;
    if (written !== "written") return failureResponse(c, REFUSALS[written]);
    setETag(c, wanted.version);
    return c.json({ success: true, employer: wanted }, read === null ? 201 : 200);
  }
});

function toldOf(c: AppContext, read: StoredEmployer | null, wanted: StoredEmployer): AuditRow {
  const fields = ({ fein, name, owners }: StoredEmployer) => ({ fein, name, owners });
  const changed = read === null ? null : changedFields(fields(read), fields(wanted));
  return auditRow({
    at: wanted.version,
    actor: c.get("client").actor,
    requestId: c.get("requestId"),
    kind: "employer",
    what: read === null ? "created" : "updated",
    subjectId: wanted.id,
    owner: null,
    before: changed?.before ?? null,
    after: changed?.after ?? fields(wanted),
  });
}
