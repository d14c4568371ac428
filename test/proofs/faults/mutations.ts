/** The design, broken on purpose in one way at a time: a suite that lets one of these pass proves nothing. */
import type { Edit } from "./build.ts";

export interface Mutation {
  name: string;
  edits: Edit[];
}

export const MUTATIONS: Mutation[] = [
  {
    name: "lets a broken setting of mail or sign-in stop its intake",
    edits: [
      {
        file: "src/inbound/receive.ts",
        find: "  const { maxBodyBytes } = settings;",
        replace: "  const { maxBodyBytes } = settings;\n  void settings.access;",
      },
    ],
  },
  {
    name: "waits for ever for a part that hangs",
    edits: [
      {
        file: "src/deadline.ts",
        find: "new DeadlineExceeded(call, ms)), ms);",
        replace: "new DeadlineExceeded(call, ms)), 1_000 * ms);",
      },
    ],
  },
  {
    name: "forgets which signatures it has seen",
    edits: [
      {
        file: "src/gate/recent-requests.ts",
        find: "return entry !== undefined && entry.until >= now ? entry.seq : null;",
        replace: "return entry === undefined || now > 0 ? null : entry.seq;",
      },
    ],
  },
  {
    name: "answers before the row is written",
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
        find: "files.update(seq, { attempts, dueAt, wakeUps: 0, updatedAt: now, error: outcome.error });",
        replace:
          'files.update(seq, { state: "queued", attempts, dueAt, wakeUps: 0, updatedAt: now, error: outcome.error });',
      },
    ],
  },
  {
    name: "hands files out without a lease",
    edits: [
      {
        file: "src/gate/file-lifecycle.ts",
        find: "return (this.#leases.get(seq)?.until ?? 0) > now;",
        replace: "return (this.#leases.get(seq)?.until ?? 0) < 0 && now < 0;",
      },
    ],
  },
  {
    name: "wakes nobody on its alarm",
    edits: [
      {
        file: "src/gate/maintenance.ts",
        find: 'await this.#step("wake", () => this.#wakeDue());',
        replace: "",
      },
    ],
  },
  {
    name: "lets go of payloads before they are archived",
    edits: [
      {
        file: "src/gate/archiver.ts",
        find: "await this.#putSegment(key, bytes);",
        replace: "",
      },
      {
        file: "src/gate/archiver.ts",
        find: "if (location !== undefined) files.markArchived(row.seq, location);\n    }",
        replace: `if (location !== undefined) files.markArchived(row.seq, location);
    }
    await this.#putSegment(key, bytes);`,
      },
    ],
  },
  {
    name: "forgets its rates when it restarts",
    edits: [
      {
        file: "src/gate/recent-requests.ts",
        find: "for (const row of rows) this.add(row);",
        replace: "for (const row of rows) this.add({ ...row, admittedAt: null });",
      },
    ],
  },
  {
    name: "says 202 for a large report that was not stored",
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
    name: "does not remember the signature of a repeat found by its key",
    edits: [
      {
        file: "src/gate/admission.ts",
        find: "files.addAlias(signed.signature, seq, signedUntil);",
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
    name: "takes an outage of the files-creator for a refusal",
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
    name: "accepts a name that stands twice",
    edits: [
      {
        file: "src/inbound/streaming-json.ts",
        find: "if (this.#options.deciding.has(this.#role(name)))\n",
        replace: "if (this.#options.maxDepth < 0)\n",
      },
    ],
  },
  {
    name: "never sweeps",
    edits: [
      {
        file: "src/maintenance/cron.ts",
        find: 'await part("wake endpoints", () => sweep(env, now));',
        replace: "",
      },
    ],
  },
  {
    name: "lets everybody work on an endpoint at a time",
    edits: [{ file: "src/outbound/endpoint-lease.ts", find: "held_until <= ?2 AND ", replace: "" }],
  },
  {
    name: "records a delivery before it sends it",
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
    name: "records an attempt as often as it is asked to",
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
    name: "tells events to another owner of the same id",
    edits: [
      {
        file: "src/outbound/fan-out.ts",
        find: "owner_type = ?1 AND owner_id = ?2 AND environment",
        replace: "?1 <> '' AND owner_id = ?2 AND environment",
      },
    ],
  },
  {
    name: "takes no notice of the owner that a request for an object names",
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
    name: "tries again at once, however often",
    edits: [
      {
        file: "src/outbound/retry-schedule.ts",
        find: "return failedAt + Math.max(",
        replace: "return failedAt + Math.min(",
      },
    ],
  },
  {
    name: "reminds nobody of the events that its gates owe",
    edits: [
      {
        file: "src/gate/maintenance.ts",
        find: 'await this.#step("remind", () => this.#remindOfEvents());',
        replace: "",
      },
    ],
  },
  {
    name: "forgets what waits for an endpoint that is gone",
    edits: [
      {
        file: "src/outbound/endpoint-lease.ts",
        find: "OR webhooks.deleted_at IS NOT NULL THEN $",
        replace: "OR webhooks.deleted_at IS NOT NULL THEN 0 * $",
      },
    ],
  },
  {
    name: "keeps nothing of what comes while a webhook is disabled",
    edits: [
      {
        file: "src/outbound/fan-out.ts",
        find: "WHERE changes() = 1 AND ",
        replace: "WHERE changes() = 1 AND status = 'active' AND ",
      },
    ],
  },
];
