/** The design, broken on purpose in one way at a time: a suite that lets one of these pass proves nothing. */
import type { Edit } from "./build.ts";

export interface Mutation {
  name: string;
  edits: Edit[];
}

export const MUTATIONS: Mutation[] = [
  {
    name: "forgets which signatures it has seen",
    edits: [
      {
        file: "src/gate/memory.ts",
        find: "return entry !== undefined && entry.until >= now ? entry.seq : null;",
        replace: "return entry === undefined || now > 0 ? null : entry.seq;",
      },
    ],
  },
  {
    name: "answers before the row is written",
    edits: [
      {
        file: "src/gate/admissions.ts",
        find: "    const written = inbox.insert({",
        replace:
          "    const written = 1;\n    setTimeout((row: Parameters<typeof inbox.insert>[0]) => inbox.insert(row), 180, {",
      },
    ],
  },
  {
    name: "lets a stale deferral undo a success",
    edits: [
      {
        file: "src/gate/settlement.ts",
        find: 'if (row.state !== "queued" || !(current || taken)) return unchanged;',
        replace: "if (now < 0) return unchanged;",
      },
      {
        file: "src/gate/settlement.ts",
        find: "inbox.update(seq, { attempts, dueAt, wakeUps: 0, updatedAt: now, error: outcome.error });",
        replace:
          'inbox.update(seq, { state: "queued", attempts, dueAt, wakeUps: 0, updatedAt: now, error: outcome.error });',
      },
    ],
  },
  {
    name: "hands files out without a lease",
    edits: [
      {
        file: "src/gate/settlement.ts",
        find: "return (this.#leases.get(seq)?.until ?? 0) > now;",
        replace: "return (this.#leases.get(seq)?.until ?? 0) < 0 && now < 0;",
      },
    ],
  },
  {
    name: "wakes nobody on its alarm",
    edits: [
      {
        file: "src/gate/upkeep.ts",
        find: 'await this.#step("wake", () => this.#wakeDue());',
        replace: "",
      },
    ],
  },
  {
    name: "lets go of payloads before they are archived",
    edits: [
      {
        file: "src/gate/upkeep.ts",
        find: "await this.#deps.archive.put(segmentKey(gate, snapshot.retentionYears, first.row.seq), bytes);",
        replace: "",
      },
      {
        file: "src/gate/upkeep.ts",
        find: "if (place !== undefined) inbox.markArchived(row.seq, place);\n    }",
        replace: `if (place !== undefined) inbox.markArchived(row.seq, place);
    }
    await this.#deps.archive.put(segmentKey(gate, snapshot.retentionYears, first.row.seq), bytes);`,
      },
    ],
  },
  {
    name: "forgets its rates when it restarts",
    edits: [
      {
        file: "src/gate/memory.ts",
        find: "for (const row of rows) this.add(row);",
        replace: "for (const row of rows) this.add({ ...row, admittedAt: null });",
      },
    ],
  },
  {
    name: "says 202 for a large report that was not stored",
    edits: [
      {
        file: "src/inbound/admit.ts",
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
        file: "src/gate/admissions.ts",
        find: "inbox.addAlias(signed.signature, seq, signedUntil);",
        replace: "",
      },
      {
        file: "src/gate/admissions.ts",
        find: "memory.add({ seq, admittedAt: null, signature, signedUntil, bodyMac: null });",
        replace: "void signature;",
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
];
