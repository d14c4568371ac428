/** Employers and the owners they are granted to: list, read, put. Grants decide who may report for whom: only the portal itself makes them. */
import { Hono } from "hono";
import * as z from "zod";
import {
  connectionsLosing,
  type EmployerWritten,
  getEmployer,
  listEmployers,
  putEmployers,
  type StoredEmployer,
} from "../../db/employers.ts";
import { StreamedBody } from "../../http/body.ts";
import { bodyBudget } from "../../http/body-budget.ts";
import { type AppContext, type AppEnv, type Client, failureResponse } from "../../http/context.ts";
import type { Failure } from "../../http/failure.ts";
import { NDJSON, ndjsonStream } from "../../http/ndjson.ts";
import { pageFields, pageOf } from "../../http/page.ts";
import { preconditionFailure, setETag } from "../../http/precondition.ts";
import { contentTypeFailure, parseJsonBody, parseQuery } from "../../http/validation.ts";
import { actsForEverybody, mayActFor, ownerFields, ownerOf } from "../owner.ts";
import { importEmployers } from "./employer-import.ts";
import {
  boundRefusal,
  EMPLOYER_ID,
  employerAuditRow,
  employerBody,
  NOT_AN_EMPLOYER_ID,
  presentEmployer,
  wantedEmployer,
} from "./employer-presenter.ts";

/** A replacement as a whole does not depend on what it replaces: one that was overtaken is tried again. */
const MAX_ATTEMPTS = 3;

const FEIN_TAKEN = "Another employer has this FEIN.";
export const REFUSALS: Record<Exclude<EmployerWritten, "written">, Failure> = {
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
const NOT_FOUND: Failure = {
  kind: "portal",
  status: 404,
  error: "employer_not_found",
  message: "No such employer.",
};

const LIST = "employers";
export const employerQuery = z.strictObject({ ...ownerFields, ...pageFields(LIST, z.string()) });

export const employers = new Hono<AppEnv>()
  .get("/employers", async (c) => {
    const query = parseQuery(c, employerQuery);
    if ("failure" in query) return failureResponse(c, query.failure);
    const { owner_type, owner_id, limit, cursor } = query.value;
    const client = c.get("client");
    const owned = actsForEverybody(client) ? { owner: null } : ownerOf(client, { owner_type, owner_id });
    if ("failure" in owned) return failureResponse(c, owned.failure);
    const found = await listEmployers(c.env.DB, owned.owner, cursor ?? "", limit);
    const { rows, next_cursor } = pageOf(LIST, found, limit, ({ id }) => id);
    return c.json({ employers: rows.map((row) => presentEmployer(client, row)), next_cursor });
  })
  .get("/employers/:employer_id", async (c) => {
    const employer = await getEmployer(c.env.DB, c.req.param("employer_id"));
    if (employer === null || !isSeenBy(c.get("client"), employer)) return failureResponse(c, NOT_FOUND);
    setETag(c, employer.version);
    return c.json({ employer: presentEmployer(c.get("client"), employer) });
  })
  .put("/employers/:employer_id", async (c) => {
    const id = c.req.param("employer_id");
    if (!EMPLOYER_ID.test(id)) {
      return failureResponse(c, {
        kind: "validation",
        message: "Invalid employer id",
        details: { id: NOT_AN_EMPLOYER_ID },
      });
    }
    const body = await parseJsonBody(c, employerBody);
    if ("failure" in body) return failureResponse(c, body.failure);
    if (c.get("client").owner !== undefined) return failureResponse(c, NOT_FOUND);
    return put(c, id, body.value);
  })
  .post("/employers/import", async (c) => {
    if (!actsForEverybody(c.get("client"))) return failureResponse(c, { kind: "not_found" });
    const wrongType = contentTypeFailure(c, NDJSON);
    if (wrongType !== null) return failureResponse(c, wrongType);
    if (c.req.raw.body === null)
      return failureResponse(c, {
        kind: "validation",
        message: "The body is empty; send one employer a line.",
      });
    const by = { actor: c.get("client").actor, requestId: c.get("requestId") };
    const body = new StreamedBody(c.req.raw.body, bodyBudget, "management");
    const events = importEmployers(body, c.env.DB, by);
    return c.body(ndjsonStream(events), 200, { "Content-Type": NDJSON });
  });

async function put(c: AppContext, id: string, body: z.infer<typeof employerBody>): Promise<Response> {
  const client = c.get("client");
  const by = { actor: c.get("client").actor, requestId: c.get("requestId") };
  const force = body.force === true || c.req.query("force") === "true";
  for (let attempt = 1; ; attempt++) {
    const read = await getEmployer(c.env.DB, id);
    if (!(actsForEverybody(client) || (read !== null && isSeenBy(client, read))))
      return failureResponse(c, NOT_FOUND);
    const failed = preconditionFailure(c, read?.version ?? null);
    if (failed !== null) return failureResponse(c, failed);
    const now = Date.now();
    const wanted = wantedEmployer(id, withUnseen(client, body, read), read, now);
    const losing = force ? undefined : (await connectionsLosing(c.env.DB, [{ read, wanted }])).get(id);
    if (losing !== undefined) {
      const refusal = boundRefusal(losing);
      return failureResponse(c, { kind: "portal", status: 409, error: "employer_in_use", ...refusal });
    }
    const auditRow = employerAuditRow(by, read, wanted);
    const [written = "written"] =
      auditRow === null ? [] : await putEmployers(c.env.DB, [{ read, wanted, auditRow }], now);
    if (written === "overtaken" && attempt < MAX_ATTEMPTS) continue;
    if (written !== "written") return failureResponse(c, REFUSALS[written]);
    const employer = auditRow === null && read !== null ? read : wanted;
    setETag(c, employer.version);
    return c.json({ success: true, employer: presentEmployer(client, employer) }, read === null ? 201 : 200);
  }
}

/** A request that names an owner does not see the grants of others, and leaves them as they are. */
function withUnseen<Body extends z.infer<typeof employerBody>>(
  client: Client,
  body: Body,
  read: StoredEmployer | null,
): Body {
  if (body.owners === undefined) return body;
  const unseen = (read?.owners ?? []).filter(
    ({ owner_type: type, owner_id: id }) => !mayActFor(client, { type, id }),
  );
  return { ...body, owners: [...body.owners, ...unseen] };
}

/** An owner's client sees the employers that are granted to its owner, as does a request that names an owner. */
function isSeenBy(client: Client, employer: StoredEmployer): boolean {
  return actsForEverybody(client) || presentEmployer(client, employer).owners.length > 0;
}
