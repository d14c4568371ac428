/**
 * `GET /openapi.json` serves the contract; `GET /docs` and the pages below it show the same to people. The pages run no
 * script and load nothing but their stylesheet, and their content security policy allows no more.
 */
import { type Context, Hono } from "hono";
import type { RouterRoute } from "hono/types";
import { sha256Hex } from "../crypto/encoding.ts";
import { type AppEnv, failureResponse } from "../http/context.ts";
import { isNotModified } from "../http/precondition.ts";
import { PAGES } from "./chapters.ts";
import * as contract from "./reference-contract.ts";

const CACHED = "public, max-age=3600";
const HTML = "text/html; charset=utf-8";

const POLICY = [
  "default-src 'none'",
  "script-src 'none'",
  "style-src 'self'",
  "img-src data:",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

interface File {
  body: string;
  etag: string;
}

/** Each file is made on its first request: most isolates never serve one. */
const files = new Map<string, File>();

/** `routes` returns the routes whose contracts the document describes. */
export function reference(routes: () => readonly RouterRoute[]): Hono<AppEnv> {
  return new Hono<AppEnv>()
    .get("/openapi.json", contract.getDocument, (c) =>
      served(c, "application/json", "openapi.json", () => contractText(routes())),
    )
    .get("/docs", contract.getOverview, (c) => served(c, HTML, "overview", () => pageText(routes(), null)))
    .get("/docs.css", contract.getStyle, (c) =>
      served(c, "text/css; charset=utf-8", "style.css", async () => (await import("./style.ts")).STYLE),
    )
    .get("/docs/:page", contract.getPage, async (c) => {
      const page = c.req.param("page");
      if (!PAGES.includes(page)) return failureResponse(c, { kind: "endpoint_not_found" });
      return served(c, HTML, page, () => pageText(routes(), page));
    });
}

async function contractText(routes: readonly RouterRoute[]): Promise<string> {
  const { openApiDocument } = await import("./openapi-document.ts");
  return JSON.stringify(openApiDocument(routes));
}

async function pageText(routes: readonly RouterRoute[], name: string | null): Promise<string> {
  const [{ body }, { readContract }, { referencePage }] = await Promise.all([
    fileOf("openapi.json", () => contractText(routes)),
    import("./document-model.ts"),
    import("./pages.ts"),
  ]);
  return String(await referencePage(readContract(body), name));
}

/** Keeps only finished files: a request never waits for another, which may be cancelled. */
async function fileOf(name: string, make: () => Promise<string>): Promise<File> {
  const known = files.get(name);
  if (known !== undefined) return known;
  const body = await make();
  const file = { body, etag: `"${await sha256Hex(body)}"` };
  files.set(name, file);
  return file;
}

async function served(
  c: Context<AppEnv>,
  type: string,
  name: string,
  make: () => Promise<string>,
): Promise<Response> {
  const { body, etag } = await fileOf(name, make);
  const headers = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": CACHED,
    ETag: etag,
  };
  if (isNotModified(c, etag)) return new Response(null, { status: 304, headers });
  return new Response(body, { headers: { ...headers, "Content-Type": type } });
}
