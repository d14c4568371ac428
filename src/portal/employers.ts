/** `PUT /employers/{id}`: an employer, and the owners it is granted to. */
import { Hono } from "hono";
import * as z from "zod";
import { normalizeFein, putEmployer } from "../db/employers.ts";
import { type AppEnv, failureResponse } from "../http/context.ts";
import { parseJsonBody } from "../http/validation.ts";
import { mayActFor, ownerId, ownerType } from "./owner.ts";

const EMPLOYER_ID = /^[A-Za-z0-9_-]{1,64}$/;

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
  const result = await putEmployer(c.env.DB, { id, fein, name, owners }, Date.now());
  if (result === "fein_taken") {
    const message = "Another employer has this FEIN.";
    return failureResponse(c, {
      kind: "portal",
      status: 409,
      error: "fein_taken",
      message,
      details: { fein: message },
    });
  }
  return c.json({ success: true, employer: { id, fein, name, owners } }, result === "created" ? 201 : 200);
});
