/** Sums up the reports that were sent: counts by outcome, and how long the answers took. */

export type Outcome =
  | { kind: "accepted" }
  | { kind: "duplicate" }
  | { kind: "limited" }
  /** `reason` is the status and the `error` of the answer. */
  | { kind: "refused"; reason: string }
  | { kind: "no answer"; reason: string };

export interface SentReport {
  outcome: Outcome;
  /** From the start of the last try until its answer was read. */
  latencyMs: number;
  tries: number;
}

const PERCENTILES = [50, 90, 99, 100] as const;

/** Collects outcomes; keeps one number per report, so that millions fit. */
export class SendSummary {
  readonly #counts = new Map<string, number>();
  readonly #latenciesMs: number[] = [];
  #repeats = 0;
  #total = 0;

  add({ outcome, latencyMs, tries }: SentReport): void {
    const line =
      outcome.kind === "refused" || outcome.kind === "no answer"
        ? `${outcome.kind}: ${outcome.reason}`
        : outcome.kind;
    this.#counts.set(line, (this.#counts.get(line) ?? 0) + 1);
    this.#total += 1;
    this.#repeats += tries - 1;
    if (outcome.kind !== "no answer") this.#latenciesMs.push(latencyMs);
  }

  get total(): number {
    return this.#total;
  }

  /** Whether the gateway has accepted every report. */
  get complete(): boolean {
    return this.#count("accepted") + this.#count("duplicate") === this.#total;
  }

  render(elapsedMs: number): string {
    const troubles = [...this.#counts].filter(([line]) => line.includes(":")).sort(([, a], [, b]) => b - a);
    const lines: [string, string][] = [
      ["accepted", String(this.#count("accepted"))],
      ["duplicates", String(this.#count("duplicate"))],
      ["limited (429)", String(this.#count("limited"))],
      ...troubles.map(([line, count]): [string, string] => [line, String(count)]),
    ];
    if (this.#repeats > 0) lines.push(["retries", String(this.#repeats)]);
    const perSecond = this.#total / Math.max(elapsedMs / 1_000, 0.001);
    lines.push([
      "total",
      `${this.#total} in ${(elapsedMs / 1_000).toFixed(1)} s, ${perSecond.toFixed(1)} per second`,
    ]);
    const sorted = Float64Array.from(this.#latenciesMs).sort();
    if (sorted.length > 0)
      lines.push(["answered within", PERCENTILES.map((p) => latencyText(p, sorted)).join("  ")]);
    const width = Math.max(...lines.map(([label]) => label.length));
    return lines.map(([label, value]) => `${label.padEnd(width)}  ${value}`).join("\n");
  }

  #count(line: string): number {
    return this.#counts.get(line) ?? 0;
  }
}

/** The smallest value that at least `p` percent of the (ascending) values do not exceed. */
export function percentile(sorted: ArrayLike<number>, p: number): number {
  const rank = Math.ceil((p / 100) * sorted.length);
  const value = sorted[Math.max(rank, 1) - 1];
  if (value === undefined) throw new RangeError("A percentile needs at least one value.");
  return value;
}

function latencyText(p: number, sorted: Float64Array): string {
  return `${p === 100 ? "max" : `p${p}`} ${percentile(sorted, p).toFixed(1)} ms`;
}
