/** Mutations: each breaks the design in one way. A fault suite that lets one of them pass proves nothing. */
import type { Edit } from "./build.ts";

export interface Mutation {
  name: string;
  edits: Edit[];
}

export const MUTATIONS: Mutation[] = [
  {
    name: "waits for evidence before it answers",
    edits: [
      {
        file: "src/app.ts",
        find: "c.executionCtx.waitUntil(leaveEvidence(c, trace, startedAt));",
        replace: "await leaveEvidence(c, trace, startedAt);",
      },
    ],
  },
  {
    name: "stops its intake when an unrelated setting is broken",
    edits: [
      {
        file: "src/inbound/receive.ts",
        find: "  const { maxBodyBytes } = settings;",
        replace: "  const { maxBodyBytes } = settings;\n  void settings.access;",
      },
    ],
  },
  {
    name: "waits without a deadline for a binding that hangs",
    edits: [
      {
        file: "src/deadline.ts",
        find: "new DeadlineExceeded(call, ms)), ms);",
        replace: "new DeadlineExceeded(call, ms)), 1_000 * ms);",
      },
    ],
  },
  {
    name: "does not detect repeated signatures",
    edits: [
      {
        file: "src/gate/recent-requests.ts",
        find: "return entry !== undefined && entry.until >= now ? entry.seq : null;",
        replace: "return entry === undefined || now > 0 ? null : entry.seq;",
      },
    ],
  },
  {
    name: "responds before the row is written",
    edits: [
      {
        file: "src/gate/admission.ts",
        find: "    const written = files.insert({",
        replace:
          "    const written = 1;\n    setTimeout((row: Parameters<typeof files.insert>[0]) => files.insert(row), 180, {",
      },
    ],
  },
  {
    name: "lets a stale deferral undo a success",
    edits: [
      {
        file: "src/gate/file-lifecycle.ts",
        find: 'if (row.state !== "queued" || !(current || succeeded)) return unchanged;',
        replace: "if (now < 0) return unchanged;",
      },
      {
        file: "src/gate/file-lifecycle.ts",
        find: "files.update(seq, { attempts, dueAt, wakeUps: 0, updatedAt: now, progress, error });",
        replace:
          'files.update(seq, { state: "queued", attempts, dueAt, wakeUps: 0, updatedAt: now, progress, error });',
      },
    ],
  },
  {
    name: "lets two consumers claim the same file",
    edits: [
      {
        file: "src/gate/file-lifecycle.ts",
        find: "return (this.#leases.get(seq)?.until ?? 0) > now;",
        replace: "return (this.#leases.get(seq)?.until ?? 0) < 0 && now < 0;",
      },
    ],
  },
  {
    name: "sends no wake-ups from a gate's alarm",
    edits: [
      {
        file: "src/gate/maintenance.ts",
        find: 'await this.#step("wake", () => this.#wakeDue());',
        replace: "",
      },
    ],
  },
  {
    name: "deletes payloads before they are archived",
    edits: [
      {
        file: "src/gate/archiver.ts",
        find: "await this.#putSegment(key, bytes);",
        replace: "",
      },
      {
        file: "src/gate/archiver.ts",
        find: "if (location !== undefined) files.markArchived(row.seq, { ...location, at: this.#deps.now() });\n    }",
        replace: `if (location !== undefined) files.markArchived(row.seq, { ...location, at: this.#deps.now() });
    }
    await this.#putSegment(key, bytes);`,
      },
    ],
  },
  {
    name: "loses its rate limit windows when a gate restarts",
    edits: [
      {
        file: "src/gate/recent-requests.ts",
        find: "for (const row of rows) this.add(row);",
        replace: "for (const row of rows) this.add({ ...row, admittedAt: null });",
      },
    ],
  },
  {
    name: "responds 202 to a large report that was not stored",
    edits: [
      {
        file: "src/inbound/submit-report.ts",
        find: "admitted.place, sender, fileId, facts, body);\n      if (!stored) return unavailable(5);",
        replace:
          'admitted.place, sender, fileId, facts, body);\n      if (!stored) logError("not stored", {});',
      },
    ],
  },
  {
    name: "does not record the signature of a repeat that was found by its idempotency key",
    edits: [
      {
        file: "src/gate/admission.ts",
        find: "repeats.addAlias(signed.signature, seq, signedUntil);",
        replace: "",
      },
      {
        file: "src/gate/admission.ts",
        find: "recent.add({ seq, admittedAt: null, signature: signed.signature, signedUntil, bodyMac: null });",
        replace: "",
      },
    ],
  },
  {
    name: "treats an outage of the files-creator as a refusal",
    edits: [
      {
        file: "src/forwarding/files-creator.ts",
        find: "new Set([400, 413, 415, 422])",
        replace: "new Set([400, 413, 415, 422, 500, 503])",
      },
    ],
  },
  {
    name: "forwards the sender's content type",
    edits: [
      {
        file: "src/forwarding/files-creator.ts",
        find: '"Content-Type": "application/json",',
        replace: '"Content-Type": facts.contentType ?? "application/json",',
      },
    ],
  },
  {
    name: "accepts a duplicate name in JSON",
    edits: [
      {
        file: "src/inbound/streaming-json.ts",
        find: "if (this.#options.deciding.has(this.#role(name)))\n",
        replace: "if (this.#options.maxDepth < 0)\n",
      },
    ],
  },
  {
    name: "never wakes endpoints from the cron",
    edits: [
      {
        file: "src/maintenance/cron.ts",
        find: 'await part("wake endpoints", () => sweep(env, now));',
        replace: "",
      },
    ],
  },
  {
    name: "lets two consumers lease the same endpoint",
    edits: [{ file: "src/outbound/endpoint-lease.ts", find: "held_until <= ?2 AND ", replace: "" }],
  },
  {
    name: "records an attempt before the request is sent",
    edits: [
      {
        file: "src/outbound/deliver-endpoint.ts",
        find: "const attempt = unsealed === null ? unsent() : await sendOrFail(unsealed, due, urlPolicy, timeoutMs);",
        replace: `const early: Attempt = { ...unsent(), kind: "delivered", status: 200 };
      const place = { webhookId: endpoint.id, eventSeq: due.event_seq };
      batcher.add(deliveryUpdate(due, early, await sealAttempt(null, place, due.attempts + 1, early)), early);
      const attempt = unsealed === null ? unsent() : await sendOrFail(unsealed, due, urlPolicy, timeoutMs);`,
      },
    ],
  },
  {
    name: "records the same attempt more than once",
    edits: [{ file: "src/outbound/attempt-store.ts", find: " AND d.attempts = o.number - 1", replace: "" }],
  },
  {
    name: "stores an event before its deliveries",
    edits: [
      {
        file: "src/outbound/fan-out.ts",
        find: "await db.batch<Record<string, unknown>>([",
        replace: `await (async (list: D1PreparedStatement[]) => {
    const results: D1Result<Record<string, unknown>>[] = [];
    for (const each of list) results.push(await each.all());
    return results;
  })([`,
      },
    ],
  },
  {
    name: "delivers events to another owner type with the same id",
    edits: [
      {
        file: "src/outbound/fan-out.ts",
        find: "owner_type = ?1 AND owner_id = ?2 AND environment",
        replace: "?1 <> '' AND owner_id = ?2 AND environment",
      },
    ],
  },
  {
    name: "ignores the owner named in a request for an object",
    edits: [
      { file: "src/portal/owner.ts", find: "return [bound, named].every(", replace: "return [bound].every(" },
    ],
  },
  {
    name: "signs with the secret of another webhook",
    edits: [
      {
        file: "src/outbound/send-delivery.ts",
        find: "return { endpoint, key, url, signers: await signersOf([leading, ...others]), rotating, headers };",
        replace: `opened ??= leading;
  return { endpoint, key, url, signers: await signersOf([opened, ...others]), rotating, headers };`,
      },
      {
        file: "src/outbound/send-delivery.ts",
        find: "export async function sendDelivery(",
        replace: "let opened: string | null = null;\n\nexport async function sendDelivery(",
      },
    ],
  },
  {
    name: "follows redirects",
    edits: [{ file: "src/outbound/attempt.ts", find: 'redirect: "manual"', replace: 'redirect: "follow"' }],
  },
  {
    name: "retries deliveries without waiting",
    edits: [
      {
        file: "src/outbound/retry-schedule.ts",
        find: "return failedAt + Math.max(",
        replace: "return failedAt + Math.min(",
      },
    ],
  },
  {
    name: "never publishes again the events left in a gate's outbox",
    edits: [
      {
        file: "src/gate/maintenance.ts",
        find: 'await this.#step("remind", () => this.#remindOfEvents());',
        replace: "",
      },
    ],
  },
  {
    name: "leaves the deliveries of a deleted webhook pending",
    edits: [
      {
        file: "src/outbound/endpoint-lease.ts",
        find: "OR webhooks.deleted_at IS NOT NULL THEN $",
        replace: "OR webhooks.deleted_at IS NOT NULL THEN 0 * $",
      },
    ],
  },
  {
    name: "creates no deliveries while a webhook is disabled",
    edits: [
      {
        file: "src/outbound/fan-out.ts",
        find: "WHERE changes() = 1 AND ",
        replace: "WHERE changes() = 1 AND status = 'active' AND ",
      },
    ],
  },
];
