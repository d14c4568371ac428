/**
 * `GET /openapi.json`: the contract, and `GET /docs`: a page that shows it. The page loads nothing from elsewhere, and its
 * policy lets it run nothing but what is served here.
 */
/// <reference path="./assets.d.ts" />
import { Hono } from "hono";
import style from "swagger-ui-dist/swagger-ui.css";
import renderer from "swagger-ui-dist/swagger-ui-bundle.js";
import type { AppEnv } from "../http/context.ts";

const CACHED = "public, max-age=3600";

const PAGE = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Audit1 webhook gateway</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/docs/swagger-ui.css">
</head>
<body>
<div id="docs"></div>
<noscript>This page needs JavaScript. The document itself is at <a href="/openapi.json">/openapi.json</a>.</noscript>
<script src="/docs/swagger-ui.js"></script>
<script src="/docs/start.js"></script>
</body>
</html>
`;

const START = `SwaggerUIBundle({ url: "/openapi.json", dom_id: "#docs", deepLinking: true, validatorUrl: null });
`;

const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

/** Made when it is first asked for: most isolates never are. */
let document: Promise<string> | null = null;

export const docs = new Hono<AppEnv>()
  .get("/openapi.json", async (_c) => {
    document ??= import("../contract/document.ts").then(({ openApiDocument }) =>
      JSON.stringify(openApiDocument()),
    );
    return served(await document, "application/json");
  })
  .get("/docs", () => served(PAGE, "text/html; charset=utf-8"))
  .get("/docs/start.js", () => served(START, "text/javascript; charset=utf-8"))
  .get("/docs/swagger-ui.js", () => served(renderer, "text/javascript; charset=utf-8"))
  .get("/docs/swagger-ui.css", () => served(style, "text/css; charset=utf-8"));

function served(body: string | ArrayBuffer, type: string): Response {
  return new Response(body, {
    headers: {
      "Content-Type": type,
      "Content-Security-Policy": POLICY,
      "X-Content-Type-Options": "nosniff",
      "Referrer-Policy": "no-referrer",
      "Cache-Control": CACHED,
    },
  });
}
