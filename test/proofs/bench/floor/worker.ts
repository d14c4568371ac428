/**
 * The minimum of durable acceptance: read the body, one call to one durable object, one SQLite insert. It checks nothing. The
 * object's output gate delays the response until the row is on disk, as in the gateway.
 */
import { DurableObject } from "cloudflare:workers";

interface Bindings {
  SHELF: DurableObjectNamespace<Shelf>;
}

export class Shelf extends DurableObject<Bindings> {
  constructor(ctx: DurableObjectState, env: Bindings) {
    super(ctx, env);
    ctx.storage.sql.exec("CREATE TABLE IF NOT EXISTS bodies (id INTEGER PRIMARY KEY, body BLOB NOT NULL)");
  }

  keep(body: ArrayBuffer): void {
    this.ctx.storage.sql.exec("INSERT INTO bodies (body) VALUES (?)", body);
  }
}

export default {
  async fetch(request, env) {
    const name = request.url.slice(request.url.lastIndexOf("/") + 1);
    await env.SHELF.getByName(name).keep(await request.arrayBuffer());
    return Response.json({ success: true }, { status: 202 });
  },
} satisfies ExportedHandler<Bindings>;
