/** A gate's watermarks: how far its alarm has come, and the latest snapshot of its row in D1. Cached in memory, written through. */
import type { MarkPlace } from "../usage/changed-hours.ts";
import type { Snapshot } from "./protocol.ts";

type MarkName =
  | "woken_to"
  | "archived_to"
  | "purged_to"
  | "key_object"
  | "late_puts"
  | "snapshot"
  | "address"
  | "changed_hours"
  | "waiting_raised_at"
  | "refused_raised_at";

export class Watermarks {
  readonly #sql: SqlStorage;
  readonly #values = new Map<string, string>();

  constructor(sql: SqlStorage) {
    this.#sql = sql;
    for (const row of sql.exec("SELECT name, value FROM marks"))
      this.#values.set(String(row.name), String(row.value));
  }

  /** Empty before the alarm has first set it. */
  get(name: Exclude<MarkName, "snapshot">): string {
    return this.#values.get(name) ?? "";
  }

  set(name: MarkName, value: string): void {
    if (this.#values.get(name) === value) return;
    this.#sql.exec(
      "INSERT INTO marks (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
      name,
      value,
    );
    this.#values.set(name, value);
  }

  of(name: Exclude<MarkName, "snapshot">): MarkPlace {
    return { get: () => this.get(name), set: (value) => this.set(name, value) };
  }

  snapshot(): Snapshot | null {
    const text = this.#values.get("snapshot");
    return text === undefined ? null : JSON.parse(text);
  }

  setSnapshot(snapshot: Snapshot): void {
    this.set("snapshot", JSON.stringify(snapshot));
  }
}
