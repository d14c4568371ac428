/**
 * NOT FOR PRODUCTION. A files-creator for local development and tests: it turns reports into CSV, reports back to the
 * gateway, misbehaves on request, and lets everyone read the reports. README.md in this folder has the details.
 */

import { type Context, Hono } from "hono";
import type { FilesCreatorEnv } from "./files-creator-env.ts";
import { parseFaults } from "./ordered-faults.ts";
import { csvKey, ledgerOf, rawKey, receiveFile, refusal } from "./receive-file.ts";

export { FileLedger } from "./ledger.ts";

type App = { Bindings: FilesCreatorEnv };

const DEFAULT_PAGE = 100;
const LARGEST_PAGE = 1_000;

const app = new Hono<App>();

app.post("/files", async (c) => {
  if (!(await isAuthorized(c.req.header("authorization"), c.env.FILES_CREATOR_TOKEN))) {
    return refusal(401, "Unauthorized", "Send the files-creator's token: Authorization: Bearer …");
  }
  return receiveFile(c.req.raw, c.env, c.executionCtx as ExecutionContext);
});

app.get("/files", async (c) => {
  const limit = wholeNumber(c.req.query("limit"), DEFAULT_PAGE, LARGEST_PAGE);
  const before = wholeNumber(c.req.query("before"), Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER);
  if (limit === null || before === null) {
    return refusal(
      400,
      "Invalid page",
      `limit is 1 to ${LARGEST_PAGE}, before is the next_cursor of a page.`,
    );
  }
  return c.json(await ledgerOf(c.env).list(limit, before));
});

app.get("/files/:id", (c) => object(c, csvKey(c.req.param("id")), "text/csv; charset=utf-8"));
app.get("/files/:id/raw", (c) => object(c, rawKey(c.req.param("id")), "application/octet-stream"));

app.get("/files/:id/meta", async (c) => {
  const meta = await ledgerOf(c.env).meta(c.req.param("id"));
  return meta === null ? unknownFile() : c.json(meta);
});

app.get("/faults", async (c) => c.json({ faults: await ledgerOf(c.env).faults() }));

app.put("/faults", async (c) => {
  const body: unknown = await c.req.json().catch(() => undefined);
  if (body === undefined)
    return refusal(400, "Invalid faults", "The body must be JSON: a fault or a list of faults.");
  const parsed = parseFaults(body);
  if (!parsed.ok) return refusal(400, "Invalid faults", parsed.message);
  await ledgerOf(c.env).setFaults(parsed.faults);
  return c.json({ faults: parsed.faults });
});

app.delete("/faults", async (c) => {
  await ledgerOf(c.env).setFaults([]);
  return c.json({ faults: [] });
});

/** Endpoints for webhooks of a demonstration. They keep nothing. */
app.post("/receivers/:name", (c) => {
  switch (c.req.param("name")) {
    case "ok":
      return c.json({ received: true });
    case "failing":
      return c.json({ error: "the warehouse is read-only for maintenance" }, 503);
    case "gone":
      return c.json({ error: "this endpoint was removed" }, 410);
    default:
      return refusal(404, "Not found", "The receivers are ok, failing and gone.");
  }
});

app.notFound(() => refusal(404, "Not found", "See dev/files-creator/README.md for the endpoints."));

/** Errors are not turned into answers: a fault that breaks the connection must break it for the caller. */
app.onError((error) => {
  throw error;
});

async function object(c: Context<App>, key: string, contentType: string): Promise<Response> {
  const found = await c.env.FILES.get(key);
  if (found === null) return unknownFile();
  return new Response(found.body, { headers: { "content-type": contentType, etag: found.httpEtag } });
}

function unknownFile(): Response {
  return refusal(404, "File not found", "No file with this id was received.");
}

function wholeNumber(text: string | undefined, otherwise: number, largest: number): number | null {
  if (text === undefined) return otherwise;
  const value = Number(text);
  return Number.isInteger(value) && value >= 1 && value <= largest ? value : null;
}

/** Compares digests, so that the time taken reveals nothing about the token. */
async function isAuthorized(header: string | undefined, token: string | undefined): Promise<boolean> {
  if (!token) return true;
  const digest = (text: string) => crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  const [given, wanted] = await Promise.all([digest(header ?? ""), digest(`Bearer ${token}`)]);
  return crypto.subtle.timingSafeEqual(given, wanted);
}

export default { fetch: app.fetch } satisfies ExportedHandler<FilesCreatorEnv>;
