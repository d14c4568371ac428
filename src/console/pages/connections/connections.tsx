/** The addresses of connections: their list, and the page of each with what is posted to it. */
import { Hono } from "hono";
import type { ShownConnection } from "../../../portal/connections/connection-contract.ts";
import type { ApiResult } from "../../api.ts";
import type { ConsoleContext, ConsoleEnv } from "../../console-host.ts";
import { formOf } from "../../form.ts";
import { withScope } from "../../page-scope.ts";
import { to } from "../../paths.ts";
import { showList } from "./connection-list.tsx";
import { type ConnectionBody, showConnection } from "./connection-page.tsx";
import { patchOf, typedOf } from "./setting-values.ts";

export const connections = new Hono<ConsoleEnv>()
  .get("/console/connections", showList)
  .get("/console/connections/:connection_id", (c) => showConnection(c, null))
  .post("/console/connections/:connection_id", async (c) => {
    const form = await formOf(c);
    switch (form.act) {
      case "save":
        return save(c, form);
      case "rotate":
        return rotate(c, form);
      case "deactivate":
      case "activate":
        return activate(c, form, form.act);
      case "delete":
      case "erase":
      case "keep":
        return remove(c, form, form.act);
      default:
        return showConnection(c, null);
    }
  });

type Form = Record<string, string>;

function pathOf(c: ConsoleContext): string {
  return `/connections/${encodeURIComponent(c.req.param("connection_id") ?? "")}`;
}

/** To the connection's page, which says what was done. */
function back(c: ConsoleContext, query: Record<string, string>): Response {
  const id = c.req.param("connection_id") ?? "";
  return c.redirect(withScope(to.connection(id, query), c.get("scope")), 303);
}

async function save(c: ConsoleContext, form: Form): Promise<Response> {
  const typed = typedOf(form);
  const patch = patchOf(typed);
  if (Object.keys(patch).length === 0) return back(c, { tab: "settings", done: "unchanged" });
  const saved = await c.get("api").send("PATCH", pathOf(c), { body: patch, ifMatch: form.etag ?? null });
  return saved.ok
    ? back(c, { tab: "settings", done: "saved" })
    : showConnection(c, { act: "save", refused: saved, typed });
}

async function rotate(c: ConsoleContext, form: Form): Promise<Response> {
  const seconds = form.overlap ?? "";
  const rotated: ApiResult<ConnectionBody & { secret: string }> = await c
    .get("api")
    .send("POST", `${pathOf(c)}/rotate-secret`, {
      // A text that is no number is left to the API, which says so.
      body: { overlap_seconds: /^\d+$/.test(seconds) ? Number(seconds) : seconds },
      ifMatch: form.etag ?? null,
    });
  if (!rotated.ok) return showConnection(c, { act: "rotate", refused: rotated });
  return showConnection(c, { act: "rotate", secret: rotated.body.secret });
}

async function activate(c: ConsoleContext, form: Form, act: "activate" | "deactivate"): Promise<Response> {
  const status: ShownConnection["status"] = act === "activate" ? "active" : "inactive";
  const changed = await c
    .get("api")
    .send("PATCH", pathOf(c), { body: { status }, ifMatch: form.etag ?? null });
  return changed.ok ? back(c, { done: `${act}d` }) : showConnection(c, { act, refused: changed });
}

const REMOVED = { delete: "deleted", erase: "erased", keep: "kept" } as const;

async function remove(c: ConsoleContext, form: Form, act: keyof typeof REMOVED): Promise<Response> {
  const removed = await c.get("api").send("DELETE", pathOf(c), {
    query: { erase: act === "delete" ? undefined : String(act === "erase") },
    ifMatch: form.etag ?? null,
  });
  return removed.ok ? back(c, { done: REMOVED[act] }) : showConnection(c, { act, refused: removed });
}
