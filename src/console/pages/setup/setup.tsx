/** Set up connection, from nothing to a verified first request. The address holds the step and the connection. */
import { Hono } from "hono";
import type { ShownConnection } from "../../../portal/connections/connection-contract.ts";
import type { ShownEmployer } from "../../../portal/employers/employer-contract.ts";
import type { ApiResult } from "../../api.ts";
import type { ConsoleContext, ConsoleEnv } from "../../console-host.ts";
import { formOf } from "../../form.ts";
import { noSuch } from "../../not-found.tsx";
import { type PageStatus, page, statusOfRefused } from "../../page.tsx";
import { type Scope, scopeOf } from "../../page-scope.ts";
import { Failed } from "../../parts/states.tsx";
import { to } from "../../paths.ts";
import type { Requests } from "./arrival.tsx";
import { ChooseOwner } from "./choose-owner.tsx";
import { CreatedStep, DAY_S, SecretGone } from "./created-step.tsx";
import { DoneStep } from "./done-step.tsx";
import type { FollowedFile } from "./file-steps.ts";
import { SendStep } from "./send-step.tsx";
import { isBeforeCreation, type Step, stepOf } from "./steps.tsx";
import { TypeStep } from "./type-step.tsx";
import { WaitStep } from "./wait-step.tsx";
import type { Employers } from "./who-fields.tsx";
import { creationOf, emptyValues, newKey, valuesOf, type WhoValues } from "./who-form.ts";
import { WhoStep } from "./who-step.tsx";

const MOST_EMPLOYERS = 100;
const SHOWN_TRIES = 5;

export const setup = new Hono<ConsoleEnv>()
  .get("/console/connections/new", async (c) => {
    const query = new URL(c.req.url).searchParams;
    const step = stepOf(query);
    if (step === "type") return show(c, <TypeStep />);
    if (step === "who") return askWho(c, query);
    const found = await connectionOf(c, query);
    return found?.ok ? showStep(c, step, found) : missing(c, found);
  })
  .post("/console/connections/new", async (c) => {
    const query = new URL(c.req.url).searchParams;
    const form = await formOf(c);
    if (isBeforeCreation(stepOf(query))) return create(c, valuesOf(form));
    return rotate(c, query, form);
  });

type Content = Parameters<typeof page>[2];

function show(c: ConsoleContext, content: Content, status: PageStatus = 200): Response {
  return page(c, { title: "Set up connection", section: "connections", status }, content);
}

async function askWho(c: ConsoleContext, query: URLSearchParams): Promise<Response> {
  const owner = ownerOf(c);
  if (owner !== null) return showWho(c, owner, emptyValues(c.get("scope").environment));
  const [type, id] = [query.get("owner_type"), query.get("owner_id")?.trim()];
  if (!type || !id) return show(c, <ChooseOwner given={null} />);
  const named = scopeOf(new URLSearchParams({ owner: `${type}/${id}` })).owner;
  if (named === null) return show(c, <ChooseOwner given={{ type, id }} />, 400);
  const { environment } = c.get("scope");
  return c.redirect(to.newConnection({ step: "who", owner: `${type}/${id}`, environment }), 303);
}

/** Null if staff look at all owners. */
function ownerOf(c: ConsoleContext): Scope["owner"] {
  return c.get("session").owner ?? c.get("scope").owner;
}

async function showWho(
  c: ConsoleContext,
  owner: NonNullable<Scope["owner"]>,
  values: WhoValues,
  problem: Omit<Parameters<typeof WhoStep>[0], "owner" | "values" | "employers"> = {},
  status: PageStatus = 200,
): Promise<Response> {
  const employers = await c.get("api").get<Employers>("/employers", { limit: MOST_EMPLOYERS });
  return show(c, <WhoStep owner={owner} values={values} employers={employers} {...problem} />, status);
}

interface Created {
  connection: ShownConnection;
  secret?: string;
}

async function create(c: ConsoleContext, values: WhoValues): Promise<Response> {
  const owner = ownerOf(c);
  if (owner === null) return show(c, <ChooseOwner given={null} />);
  const body = creationOf(values);
  const created = await c
    .get("api")
    .send<Created>("POST", "/connections", { body, idempotencyKey: values.key });
  if (created.ok) {
    const { connection, secret = null } = created.body;
    const content =
      secret === null ? (
        <SecretGone connection={connection} etag={created.etag} />
      ) : (
        <CreatedStep connection={connection} secret={secret} />
      );
    return show(c, content);
  }
  const { error } = created;
  if (error.error === "idempotency_key_reused")
    return showWho(c, owner, { ...values, key: newKey() }, { isSecond: true }, 409);
  return showWho(c, owner, values, { refused: error }, statusOfRefused(created));
}

type ConnectionResult = ApiResult<{ connection: ShownConnection }>;

/** Null if the address names no connection. */
async function connectionOf(c: ConsoleContext, query: URLSearchParams): Promise<ConnectionResult | null> {
  const id = query.get("connection") ?? "";
  return /^[0-9a-f]{24}$/i.test(id) ? c.get("api").get(`/connections/${id}`) : null;
}

/** There is no such connection within the session's reach, or it could not be read. */
function missing(c: ConsoleContext, found: Extract<ConnectionResult, { ok: false }> | null): Response {
  if (found === null || found.status === 404)
    return noSuch(c, {
      noun: "connection",
      section: "connections",
      list: { href: to.connections(), label: "All connections" },
    });
  return show(c, <Failed error={found.error} what="The connection" />, statusOfRefused(found));
}

async function showStep(
  c: ConsoleContext,
  step: Step,
  { body: { connection }, etag }: Extract<ConnectionResult, { ok: true }>,
): Promise<Response> {
  switch (step) {
    case "created":
      return show(c, <SecretGone connection={connection} etag={etag} />);
    case "wait": {
      const api = c.get("api");
      const [requests, file] = await Promise.all([
        api.get<Requests>(`/connections/${connection.id}/requests`, { limit: SHOWN_TRIES }),
        newestFile(c, connection),
      ]);
      return show(c, <WaitStep connection={connection} requests={requests} file={file} />);
    }
    case "done":
      return show(c, <DoneStep connection={connection} file={await newestFile(c, connection)} />);
    default:
      return show(c, <SendStep connection={connection} employer={await employerOf(c, connection)} />);
  }
}

async function newestFile(
  c: ConsoleContext,
  { id }: ShownConnection,
): Promise<ApiResult<FollowedFile | null>> {
  const api = c.get("api");
  const listed = await api.get<{ files: { file_id: string }[] }>("/files", { connection_id: id, limit: 1 });
  if (!listed.ok) return listed;
  const [newest] = listed.body.files;
  return newest === undefined
    ? { ...listed, body: null }
    : api.get<FollowedFile>(`/lookup/${newest.file_id}`);
}

/** The employer that the connection is bound to, or the first that is granted to its owner. */
async function employerOf(
  c: ConsoleContext,
  { employer_id: bound, owner_type, owner_id }: ShownConnection,
): Promise<ApiResult<ShownEmployer | null>> {
  const api = c.get("api");
  if (bound !== null) {
    const read = await api.get<{ employer: ShownEmployer }>(`/employers/${bound}`);
    return read.ok ? { ...read, body: read.body.employer } : read;
  }
  const listed = await api.get<Employers>("/employers", { owner_type, owner_id, limit: 1 });
  return listed.ok ? { ...listed, body: listed.body.employers[0] ?? null } : listed;
}

async function rotate(
  c: ConsoleContext,
  query: URLSearchParams,
  form: Record<string, string>,
): Promise<Response> {
  const found = await connectionOf(c, query);
  if (!found?.ok) return missing(c, found);
  const { connection } = found.body;
  const rotated = await c
    .get("api")
    .send<Required<Created>>("POST", `/connections/${connection.id}/rotate-secret`, {
      body: { overlap_seconds: form.overlap === "0" ? 0 : DAY_S },
      ifMatch: form.etag ?? null,
    });
  if (rotated.ok)
    return show(
      c,
      <CreatedStep connection={rotated.body.connection} secret={rotated.body.secret} isRotated />,
    );
  return show(
    c,
    <SecretGone connection={connection} etag={found.etag} refused={rotated.error} />,
    statusOfRefused(rotated),
  );
}
