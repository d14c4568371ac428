import { afterEach, describe, expect, it, vi } from "vitest";
import type { Bindings } from "../../../src/bindings.ts";
import { newObjectId } from "../../../src/crypto/ids.ts";
import { mintRequestId } from "../../../src/http/request-id.ts";
import { connectionSenders } from "../../../src/inbound/inbound-routes.ts";
import {
  endSession,
  redeemLink,
  sessionOf,
  startStaffSession,
} from "../../../src/portal/sessions/signed-in.ts";
import { EMPLOYEES, submit } from "../../support/developer.ts";
import {
  accepted,
  advance,
  catchWakeUps,
  creatorThat,
  deliverFiles,
  runCron,
} from "../../support/forwarding.ts";
import {
  bindings,
  createApiKey,
  createBoundConnection,
  createEmployer,
  type Json,
  portal,
  post,
  report,
  send,
} from "../../support/gateway.ts";
import { storeWebhook } from "../../support/outbound.ts";
import { tokenIn } from "../../support/sessions.ts";

afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

/** Bindings that note every statement that is prepared, with the last values that were bound to it. */
function recording(): { using: Bindings; statements: Map<string, unknown[]> } {
  const statements = new Map<string, unknown[]>();
  const recorded = <T extends object>(database: T): T =>
    new Proxy(database, {
      get(target, name) {
        const value: unknown = Reflect.get(target, name, target);
        if (typeof value !== "function") return value;
        if (name === "withSession")
          return (...args: unknown[]) => recorded(Reflect.apply(value, target, args));
        if (name !== "prepare") return value.bind(target);
        return (query: string) => {
          const statement: D1PreparedStatement = Reflect.apply(value, target, [query]);
          const { bind } = statement;
          // One that waits for values and never gets any is never run.
          if (!query.includes("?")) statements.set(query, []);
          statement.bind = (...values: unknown[]) => {
            statements.set(query, values);
            return bind.apply(statement, values);
          };
          return statement;
        };
      },
    });
  return { using: { ...bindings, DB: recorded(bindings.DB) }, statements };
}

/** These indexes hold only what the cron has yet to do: reading them whole is reading what is asked for. */
const AGENDAS = [
  "connections_gate_behind",
  "api_keys_gate_behind",
  "replays_running",
  "jobs_running",
  "attention_incomplete",
  "sqlite_autoindex_usage_changes_1",
];

/**
 * What a plan calls a row without a table, a list of values, and rows that an index has found before: the first thousand of
 * a list, the endpoints that have open deliveries, and the scopes that have counts.
 */
const NO_TABLES = ["CONSTANT", "json_each", "spans", "scanned", "unsettled", "scopes"];

describe("every query of the Worker to D1", () => {
  it("uses an index", async () => {
    const { using, statements } = recording();
    catchWakeUps();
    connectionSenders.clear();
    const owner = { owner_type: "payroll_company", owner_id: "acme" };
    const ask = (method: string, path: string, body?: Json, client = "portal") =>
      portal(method, path, body, client, using);
    const { id: employerId, fein } = await createEmployer();
    await ask("PUT", `/employers/${employerId}`, { fein, name: "Again", owners: [owner] });
    await ask("PUT", `/employers/${employerId}_2`, { name: "New", owners: [owner] });
    const made = await ask("POST", "/connections", { ...owner, employer_id: employerId });
    const { id } = made.json.connection;
    const keyed = {
      method: "POST",
      headers: {
        "X-Client-ID": "portal",
        "X-Client-Secret": "portal-secret",
        "Content-Type": "application/json",
        "Idempotency-Key": "once",
      },
      body: JSON.stringify(owner),
    };
    for (const _time of ["first", "again"]) await send("/api/v1/connections", keyed, using);
    const { apiKey, secret: key } = (await ask("POST", "/api-keys", { ...owner, environment: "sandbox" }))
      .json;
    for (const list of ["/employers", "/employers?", "/api-keys?", "/api-keys?include_inactive=true&"]) {
      const query = list.endsWith("s") ? "?limit=1" : "owner_type=payroll_company&owner_id=acme&limit=1";
      const { json } = await ask("GET", `${list}${query}`);
      await ask("GET", `${list}${query}&cursor=${json.next_cursor}`);
    }
    await ask("GET", `/employers/${employerId}`);
    await ask("PUT", `/employers/${employerId}_3`, { fein, name: "Taken" });
    await ask("GET", `/api-keys/${apiKey.id}`);
    await ask("PATCH", `/api-keys/${apiKey.id}`, { plan: "enterprise" });
    const employee = { employee_id: "1", action: "update" };
    const sync = { employer_id: employerId, employees: [employee] };
    await submit({ token: key }, EMPLOYEES, sync, {}, using);
    for (const filter of ["", "&status=active", "&environment=sandbox&type=webhook&limit=1"]) {
      const { json } = await ask("GET", `/connections?owner_type=payroll_company&owner_id=acme${filter}`);
      if (json.next_cursor !== null)
        await ask(
          "GET",
          `/connections?owner_type=payroll_company&owner_id=acme${filter}&cursor=${json.next_cursor}`,
        );
    }
    await ask("GET", `/connections/${id}`);
    await ask("PATCH", `/connections/${id}`, { description: "x", plan: "enterprise" });
    await ask("POST", `/connections/${id}/rotate-secret`, {});
    const unbound = await createBoundConnection({ employer_id: undefined });
    for (const body of [report({ employer_fein: fein }), report({ employer_id: employerId })])
      await post(unbound, body, {}, using);
    await post({ id, secret: made.json.secret }, report(), {}, using);
    const fileId = await accepted(await createBoundConnection());
    await deliverFiles([fileId], {
      ...creatorThat(() => new Response(null, { status: 503 })).using,
      DB: using.DB,
    });
    const headers = { Authorization: `Bearer ${key}` };
    for (const path of ["/files", `/files?connection_id=${id}`, `/files/status/${fileId}`])
      await send(`/api/v1${path}`, { headers }, using);
    for (const query of ["", "&status=failed", "&employer_id=x&since=2026-01-01T00:00:00Z"])
      await ask("GET", `/files?owner_type=payroll_company&owner_id=acme${query}`);
    for (const query of ["", "?reason=deferred", "?since=2026-01-01T00:00:00Z&limit=1"])
      expect((await ask("GET", `/stuck-files${query}`)).status).toBe(200);
    for (const query of ["", "?environment=sandbox&limit=1", "?owner_type=payroll_company&owner_id=acme"])
      expect((await ask("GET", `/failing-webhooks${query}`)).status).toBe(200);
    await ask("POST", "/events", { id: "evt_1", type: "file.failed", data: { fileId } });
    await ask("POST", `/files/${fileId}/replay`);
    for (const dry_run of [true, false]) await ask("POST", "/deliveries/retry", { ...owner, dry_run });
    for (const dry_run of [true, false]) await ask("POST", "/files/replay", { ...owner, dry_run });
    const address = { url: "https://plans.receiver-audit.com/in", events: ["file.*"] };
    const { webhook } = (await ask("POST", "/webhooks", { ...owner, ...address })).json;
    const range = { since: "2026-01-01T00:00:00Z", dry_run: true };
    expect((await ask("POST", `/webhooks/${webhook.id}/replay`, range)).status).toBe(200);
    expect((await ask("GET", "/replays?owner_type=payroll_company&owner_id=acme")).status).toBe(200);
    const { jobs } = (await ask("GET", "/jobs?owner_type=payroll_company&owner_id=acme")).json;
    for (const method of ["GET", "DELETE"]) await ask(method, `/jobs/${jobs[0].id}`);
    for (const query of [
      "",
      "&owner_type=payroll_company&owner_id=acme",
      `&subject=connection:${id}`,
      "&action=connection.created",
      `&owner_type=payroll_company&owner_id=acme&subject=connection:${id}&action=connection.created`,
    ]) {
      const { json } = await ask("GET", `/audit?limit=1${query}`);
      await ask("GET", `/audit?limit=1&since=2026-01-01T00:00:00Z${query}&cursor=${json.next_cursor}`);
    }
    for (const each of [id, fileId, "evt_1", mintRequestId(`k${newObjectId()}`, 0), mintRequestId("p", 0)])
      await ask("GET", `/lookup/${each}?owner_type=payroll_company&owner_id=acme`);
    const link = { owner_type: "payroll_company", owner_id: "acme" };
    for (const fields of [link, { staff: true, reusable: true }, { staff: true }]) {
      const created = await ask("POST", "/portal-links", fields, "portal");
      const redeemed = await redeemLink(using, tokenIn(created), Date.now(), "");
      if (!redeemed.ok) throw new Error(redeemed.error);
      const { session, token } = redeemed.value;
      await sessionOf(using, token, Date.now());
      await endSession(using, session, Date.now(), "");
      await ask("DELETE", `/sessions/${session.id}`, undefined, "portal");
      await ask("DELETE", `/portal-links/${session.link_id}`, undefined, "portal");
    }
    await startStaffSession(using, { name: "a@b.example", expiresAt: Date.now() + 1_000 }, Date.now(), "");
    for (const list of ["/portal-links", "/sessions"])
      for (const client of ["portal", "bound"])
        for (const query of ["?limit=1", "?include_ended=true&limit=1"]) {
          const { json } = await ask("GET", `${list}${query}`, undefined, client);
          if (json.next_cursor)
            await ask("GET", `${list}${query}&cursor=${json.next_cursor}`, undefined, client);
        }
    const hook = await storeWebhook({ owner_id: owner.owner_id });
    for (const query of [
      "measure=accepted",
      `measure=accepted&connection_id=${id}`,
      "measure=refused&by=code&environment=production&granularity=hour",
      "measure=accepted&by=connection",
      "measure=accepted&by=owner",
      "measure=error_budget",
      "measure=adoption",
      "measure=automation",
      `measure=failed_attempts&webhook_id=${hook.id}`,
    ]) {
      expect((await ask("GET", `/metrics?${query}`)).status, query).toBe(200);
      if (!/_id|owner/.test(query))
        await ask("GET", `/metrics?owner_type=payroll_company&owner_id=acme&${query}`);
    }
    await ask("POST", "/vault/rewrap", {});
    await ask("POST", "/vault/rewrap", {}, "portal");
    await ask("DELETE", `/connections/${id}?erase=true`);
    const wrong = { ...using, VAULT_KEYS: `new:${btoa("x".repeat(32))},${bindings.VAULT_KEYS}` };
    let cursor: string | undefined;
    do {
      cursor =
        (await portal("POST", "/vault/rewrap", { cursor }, "portal", wrong)).json.next_cursor ?? undefined;
    } while (cursor !== undefined);
    advance(8 * 86_400_000);
    await runCron(Date.now(), using);
    await createApiKey();

    expect(statements.size).toBeGreaterThan(40);
    const scans: string[] = [];
    for (const [query, values] of statements) {
      const { results: plan } = await bindings.DB.prepare(`EXPLAIN QUERY PLAN ${query}`)
        .bind(...values)
        .all<{ detail: string }>();
      for (const { detail } of plan) {
        const [, what = "", index = ""] =
          /^SCAN (\w+)(?: USING (?:COVERING )?INDEX (\w+))?/.exec(detail) ?? [];
        if (what !== "" && !NO_TABLES.includes(what) && !AGENDAS.includes(index))
          scans.push(`${detail}: ${query}`);
      }
    }
    expect(scans).toEqual([]);
  });
});
