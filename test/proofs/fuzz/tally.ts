/** Counts responses by kind of request and status, and records how long they took. */

interface Row {
  statuses: Map<string, number>;
  times: number[];
}

export class Tally {
  readonly #rows = new Map<string, Row>();

  /** `status` is null without a response. */
  count(kind: string, status: number | null, ms: number): void {
    const row: Row = this.#rows.get(kind) ?? { statuses: new Map<string, number>(), times: [] };
    this.#rows.set(kind, row);
    const name = status === null ? "none" : String(status);
    row.statuses.set(name, (row.statuses.get(name) ?? 0) + 1);
    row.times.push(ms);
  }

  /** The number of responses with a status. */
  total(status: number | null): number {
    const name = status === null ? "none" : String(status);
    return [...this.#rows.values()].reduce((sum, row) => sum + (row.statuses.get(name) ?? 0), 0);
  }

  get requests(): number {
    return [...this.#rows.values()].reduce((sum, row) => sum + row.times.length, 0);
  }

  /** The slowest response, ms. */
  get slowest(): number {
    return [...this.#rows.values()].flatMap(({ times }) => times).reduce((a, b) => Math.max(a, b), 0);
  }

  /** Formats a table: a row per kind, a column per status. */
  table(): string[] {
    const kinds = [...this.#rows].sort(([a], [b]) => a.localeCompare(b));
    const statuses = [...new Set(kinds.flatMap(([, row]) => [...row.statuses.keys()]))].sort();
    const line = (kind: string, cells: (string | number)[]) =>
      [kind.padEnd(27), ...cells.map((cell) => String(cell).padStart(7))].join(" ");
    const lines = [line("", [...statuses, "p50 ms", "p99 ms", "max ms"])];
    for (const [kind, { statuses: counts, times }] of kinds) {
      const sorted = times.toSorted((a, b) => a - b);
      const at = (share: number) =>
        Math.round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0);
      lines.push(
        line(kind, [...statuses.map((status) => counts.get(status) ?? ""), at(0.5), at(0.99), at(1)]),
      );
    }
    return lines;
  }
}
