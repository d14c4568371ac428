/**
 * The control interface of the suite: orders, the clock, the cron, and the contents of gates and database. All but the cron use
 * the real bindings.
 */

import type { Bindings } from "../../../../src/bindings.ts";
import { dataKeyContext, payloadContext } from "../../../../src/crypto/contexts.ts";
import { type DataKey, unseal, unwrapDataKey } from "../../../../src/crypto/vault.ts";
import { readSettings } from "../../../../src/env.ts";
import { parseFileId } from "../../../../src/gate/file-id.ts";
import { WAKE_AGAIN_AFTER_MS } from "../../../../src/gate/state.ts";
import { EVERY_MINUTE, runScheduled } from "../../../../src/maintenance/cron.ts";
import type { AtRest, Backlog, InboxReport, Orders } from "../orders.ts";
import { breaking } from "./bindings.ts";
import type { ConnectionGate } from "./gate.ts";
import type { Kept, KeptPage } from "./inspection.ts";
import { countsAtEnd, deliveriesAtEnd, openDeliveries, webhooksAtEnd } from "./outbound.ts";
import { counts, suffering } from "./suffering.ts";

const FILES_AT_A_TIME = 50;
const RETIME_TRIES = 5;
const UNSETTLED = new Set(["receiving", "queued", "dropped"]);

type Gates = { gates: string[] };

export async function control(request: Request, env: Bindings): Promise<Response> {
  const gates = env.CONNECTION_GATE as unknown as DurableObjectNamespace<ConnectionGate>;
  const body: Gates & { orders: Orders; dueBy?: number } = await request.json();
  const stubs = body.gates.map((name) => gates.getByName(name));
  switch (new URL(request.url).pathname) {
    case "/__faults/orders":
      suffering.orders = body.orders;
      await Promise.all(body.gates.map((name) => retime(gates, name)));
      return Response.json({});
    case "/__faults/counts":
      return Response.json(Object.fromEntries(counts));
    case "/__faults/cron":
      await runScheduled(EVERY_MINUTE, Date.now(), breaking(env));
      return Response.json({});
    case "/__faults/backlog":
      return Response.json(backlogOf(await Promise.all(stubs.map((stub) => stub.inspect()))));
    case "/__faults/inboxes":
      return Response.json(await Promise.all(stubs.map((stub) => stub.inspect())));
    case "/__faults/at-rest":
      return Response.json((await Promise.all(stubs.map((stub) => atRest(stub, env)))).flat());
    case "/__faults/open-deliveries":
      return Response.json(await openDeliveries(env.DB, body.dueBy ?? Date.now(), Date.now()));
    case "/__faults/deliveries":
      return Response.json(await deliveriesAtEnd(env.DB));
    case "/__faults/usage":
      return Response.json(await countsAtEnd(env.DB));
    case "/__faults/webhooks":
      return Response.json(await webhooksAtEnd(env.DB, Date.now()));
    default:
      return new Response(null, { status: 404 });
  }
}

/** A gate may die during the call, after which its stub is unusable. */
async function retime(gates: DurableObjectNamespace<ConnectionGate>, name: string): Promise<void> {
  for (let tries = 1; ; tries++) {
    try {
      return await gates.getByName(name).retime();
    } catch (error) {
      if (tries === RETIME_TRIES) throw error;
    }
  }
}

function backlogOf(reports: InboxReport[]): Backlog {
  const now = Date.now();
  const rows = reports.flatMap((report) => report.rows);
  const unsettled = rows.filter((row) => UNSETTLED.has(row.state));
  let overdueMs = 0;
  let overdueFile: string | null = null;
  for (const row of unsettled) {
    const late = now - (row.dueAt ?? row.mintedAt + WAKE_AGAIN_AFTER_MS);
    if (late > overdueMs) [overdueMs, overdueFile] = [late, row.fileId];
  }
  const unarchived = rows.filter((row) => !row.archived).length;
  const owed = reports.reduce((sum, report) => sum + report.owed, 0);
  return { now, unsettled: unsettled.length, unarchived, owed, overdueMs, overdueFile };
}

/** Unseals each file's payload, from its row or from the archive. */
async function atRest(stub: DurableObjectStub<ConnectionGate>, env: Bindings): Promise<AtRest[]> {
  const found: AtRest[] = [];
  const segments = new Map<string, ArrayBuffer | null>();
  let dataKey: DataKey | null = null;
  for (let after: string | null = ""; after !== null; ) {
    const page = (await stub.kept(after, FILES_AT_A_TIME)) as KeptPage;
    for (const file of page.files) {
      const gate = parseFileId(file.fileId)?.gate;
      if (gate === undefined) continue;
      try {
        dataKey ??= await unwrapDataKey(readSettings(env).keyRing, page.wrappedKey, dataKeyContext(gate));
        const sealed = await sealedOf(file, env, segments);
        const payload = await unseal(dataKey, new Uint8Array(sealed), payloadContext(gate, file.fileId));
        const digest = await crypto.subtle.digest("SHA-256", payload);
        found.push({ fileId: file.fileId, sha256: new Uint8Array(digest).toHex() });
      } catch (error) {
        found.push({ fileId: file.fileId, error: String(error) });
      }
    }
    after = page.last;
  }
  return found;
}

async function sealedOf(
  file: Kept,
  env: Bindings,
  segments: Map<string, ArrayBuffer | null>,
): Promise<ArrayBuffer> {
  if (file.payload !== null) return file.payload;
  if (file.stored === null) throw new Error("it is stored nowhere");
  const { key, offset, length } = file.stored;
  let segment = segments.get(key);
  if (segment === undefined) {
    const object = await env.ARCHIVE.get(key);
    segment = object === null ? null : await object.arrayBuffer();
    segments.set(key, segment);
  }
  if (segment === null) throw new Error("its segment is missing");
  return segment.slice(offset, offset + length);
}
