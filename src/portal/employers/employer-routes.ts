/** Employers and their grants: list, read, put. A grant lets an owner report for an employer; only the portal itself changes grants. */
import { Hono } from "hono";
import { createMiddleware } from "hono/factory";
import {
  connectionsLosing,
  getEmployer,
  listEmployers,
  putEmployers,
  type StoredEmployer,
} from "../../db/employers.ts";
import { StreamedBody } from "../../http/body.ts";
import { bodyBudget } from "../../http/body-budget.ts";
import { type AppContext, type AppEnv, type Client, failureResponse } from "../../http/context.ts";
import { NDJSON, ndjsonStream } from "../../http/ndjson.ts";
import { pageOf } from "../../http/page.ts";
import { preconditionFailure, setETag } from "../../http/precondition.ts";
import { contentTypeFailure } from "../../http/validation.ts";
import { madeBy } from "../audit-row.ts";
import { notFound } from "../change.ts";
import { actsForEverybody, mayActFor, ownerOrAll } from "../owner.ts";
import { forEveryOwner } from "../scope.ts";
import * as contract from "./employer-contract.ts";
import { EMPLOYER_ID, EMPLOYER_LIST, type EmployerBody, INVALID_ID, REFUSALS } from "./employer-contract.ts";
import { importEmployers } from "./employer-import.ts";
import { employerAuditRow, presentEmployer, wantedEmployer } from "./employer-presenter.ts";

/** A complete replacement does not depend on the previous row, so one that was overtaken is tried again. */
const MAX_TRIES = 3;

const NOT_FOUND = notFound("employer");

const validEmployerId = createMiddleware<AppEnv>(async (c, next) =>
  EMPLOYER_ID.test(c.req.param("employer_id") ?? "") ? next() : failureResponse(c, INVALID_ID),
);

export const employers = new Hono<AppEnv>()
  .get("/employers", contract.listEmployers, async (c) => {
    const { owner_type, owner_id, limit, cursor } = c.req.valid("query");
    const client = c.get("client");
    const owned = ownerOrAll(client, { owner_type, owner_id });
    if (!owned.ok) return failureResponse(c, owned.error);
    const found = await listEmployers(c.env.DB, owned.value, cursor ?? "", limit);
    const { rows, next_cursor } = pageOf(EMPLOYER_LIST, found, limit, ({ id }) => id);
    return c.json({ employers: rows.map((row) => presentEmployer(client, row)), next_cursor });
  })
  .get("/employers/:employer_id", contract.getEmployer, async (c) => {
    const employer = await getEmployer(c.env.DB, c.req.param("employer_id"));
    if (employer === null || !isSeenBy(c.get("client"), employer)) return failureResponse(c, NOT_FOUND);
    setETag(c, employer.version);
    return c.json({ employer: presentEmployer(c.get("client"), employer) });
  })
  .put("/employers/:employer_id", validEmployerId, contract.putEmployer, async (c) => {
    if (c.get("client").owner !== undefined) return failureResponse(c, NOT_FOUND);
    return put(c, c.req.param("employer_id"), c.req.valid("json"));
  })
  .post("/employers/import", forEveryOwner, contract.importEmployers, async (c) => {
    const wrongType = contentTypeFailure(c, NDJSON);
    if (wrongType !== null) return failureResponse(c, wrongType);
    if (c.req.raw.body === null) return failureResponse(c, { kind: "import_empty" });
    const by = madeBy(c);
    const body = new StreamedBody(c.req.raw.body, bodyBudget, "management");
    const events = importEmployers(body, c.env.DB, by);
    return c.body(ndjsonStream(events), 200, { "Content-Type": NDJSON });
  });

async function put(c: AppContext, id: string, body: EmployerBody): Promise<Response> {
  const client = c.get("client");
  const by = madeBy(c);
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
    if (losing !== undefined) return failureResponse(c, { kind: "employer_in_use", ...losing });
    const auditRow = employerAuditRow(by, read, wanted);
    const [written = "written"] =
      auditRow === null ? [] : await putEmployers(c.env.DB, [{ read, wanted, auditRow }], now);
    if (written === "overtaken" && attempt < MAX_TRIES) continue;
    if (written !== "written") return failureResponse(c, REFUSALS[written]);
    const employer = auditRow === null && read !== null ? read : wanted;
    setETag(c, employer.version);
    return c.json({ success: true, employer: presentEmployer(client, employer) }, read === null ? 201 : 200);
  }
}

/** A request that names an owner does not see the grants of other owners, and does not change them. */
function withUnseen<Body extends EmployerBody>(
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

/** A request that is limited to an owner sees only the employers that are granted to this owner. */
function isSeenBy(client: Client, employer: StoredEmployer): boolean {
  return actsForEverybody(client) || presentEmployer(client, employer).owners.length > 0;
}
