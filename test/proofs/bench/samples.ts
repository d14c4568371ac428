/** The measurements of all rounds by name. Rounds that took turns have the same position. */
import type { Round } from "./client.ts";
import type { Load } from "./load.ts";
import type { Recipe } from "./requests.ts";
import type { Server } from "./runtime.ts";
import { quantile, type Summary, summarize } from "./statistics.ts";

export interface Sample {
  perSecond: number;
  p50Ms: number;
  p99Ms: number;
  /** User and system seconds of the server per 10,000 responses; null when the system does not provide them. */
  cpuPer10k: number | null;
  statuses: Round["statuses"];
}

type Figure = "perSecond" | "p50Ms" | "p99Ms" | "cpuPer10k";

export class Samples {
  readonly #byName = new Map<string, Sample[]>();

  add(name: string, sample: Sample): void {
    const samples = this.#byName.get(name) ?? [];
    samples.push(sample);
    this.#byName.set(name, samples);
  }

  names(): string[] {
    return [...this.#byName.keys()];
  }

  figure(name: string, figure: Figure): Summary {
    return summarize(this.#of(name).flatMap((sample) => sample[figure] ?? []));
  }

  /** The ratio per turn, so that a slow moment of the machine affects both sides. */
  ratio(name: string, to: string, figure: Figure): Summary {
    const base = this.#of(to);
    return summarize(
      this.#of(name).flatMap((sample, turn) => {
        const [value, other] = [sample[figure], base[turn]?.[figure]];
        return value === null || other === null || other === undefined ? [] : value / other;
      }),
    );
  }

  /** Statuses of all rounds together. */
  statuses(name: string): Record<number, number> {
    const all: Record<number, number> = {};
    for (const { statuses } of this.#of(name))
      for (const [status, count] of Object.entries(statuses))
        all[Number(status)] = (all[Number(status)] ?? 0) + count;
    return all;
  }

  #of(name: string): Sample[] {
    return this.#byName.get(name) ?? [];
  }
}

/** A recipe without its number of requests: as many are prepared as the time may need. */
export interface Measurement {
  clients: number;
  milliseconds: number;
  recipe: Omit<Recipe, "count">;
}

/** More requests per second than any server here responds to. */
const HIGHEST_PER_SECOND = 12_000;
/** Prepared requests of one round take no more memory than this. */
const MOST_PREPARED_BYTES = 400 * 1024 ** 2;

export function countFor({ milliseconds, recipe }: Measurement, expectedPerSecond: number): number {
  const wanted = Math.ceil((Math.min(expectedPerSecond, HIGHEST_PER_SECOND) * milliseconds) / 1_000);
  return Math.min(wanted, Math.floor(MOST_PREPARED_BYTES / (recipe.bodyBytes + 500)));
}

/** One round. It ends early when the prepared requests run out, which changes no rate. */
export async function measure(
  load: Load,
  server: Server,
  measurement: Measurement,
  expectedPerSecond: number,
): Promise<Sample> {
  const { clients, milliseconds, recipe } = measurement;
  const before = server.cpuSeconds();
  const round = await load.run({
    port: server.port,
    clients,
    limitMs: milliseconds,
    recipe: { ...recipe, count: countFor(measurement, expectedPerSecond) },
  });
  const after = server.cpuSeconds();
  const answers = round.latenciesMs.length;
  return {
    perSecond: answers / round.seconds,
    p50Ms: quantile(round.latenciesMs, 0.5),
    p99Ms: quantile(round.latenciesMs, 0.99),
    cpuPer10k: before === null || after === null ? null : ((after - before) / answers) * 10_000,
    statuses: round.statuses,
  };
}
