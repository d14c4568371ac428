/** Hands the changed hours of a gate or request log to D1: from its alarm, under a version that grows. */

import { chunks } from "../chunks.ts";
import { logError } from "../log.ts";
import type { GateAddress } from "../model.ts";
import type { ChangedHours } from "./changed-hours.ts";
import type { Counts } from "./counts.ts";
import { monthOf } from "./periods.ts";
import {
  type EmployerMonth,
  markChanged,
  storedVersion,
  storeEmployerMonths,
  storeGateHours,
  storeLogHours,
} from "./usage-store.ts";

/** Hours of one hand-over. The next one, with more, follows at once. */
const HOURS_AT_A_TIME = 24;
/** Employers of one statement, whose ids are at most some hundred bytes. */
const EMPLOYERS_AT_A_TIME = 1_000;
/** Months of employers that are remembered as stored. */
const REMEMBERED_EMPLOYERS = 10_000;

/** An hour as it is counted from the rows of its object. */
export interface CountedHour {
  counts: Counts;
  /** The employers that it has reports of. */
  employers: ReadonlySet<string>;
}

export interface HandOverDeps {
  db: D1Database;
  hours: ChangedHours;
  scope(): GateAddress | { kind: "unknown"; id: string };
  /** Null if some of the hour's rows have been purged: then the counts that were handed over before stay. */
  countHour(at: number): Promise<CountedHour | null>;
  now(): number;
}

export class HandOver {
  readonly #deps: HandOverDeps;
  readonly #stored = new Set<string>();

  constructor(deps: HandOverDeps) {
    this.#deps = deps;
  }

  /** When the alarm has to ring for a hand-over; null if nothing has changed. */
  nextAt(): number | null {
    return this.#deps.hours.dueAt(this.#deps.now());
  }

  /** Rejects if the database fails: then the hours stay marked. */
  async run(): Promise<void> {
    const { hours } = this.#deps;
    const dueAt = this.nextAt();
    if (dueAt === null || dueAt > this.#deps.now()) return;
    const taken = hours.take(HOURS_AT_A_TIME, this.#deps.now());
    try {
      if (!(await this.#store(taken.hours, taken.version))) hours.failed(this.#deps.now());
      else hours.done();
    } catch (error) {
      hours.failed(this.#deps.now());
      throw error;
    }
  }

  /** Returns false if the database has one of the hours under this version or a greater one. The next hand-over has a greater one. */
  async #store(taken: readonly number[], version: number): Promise<boolean> {
    const { db, scope: scopeOf, hours: marks, now } = this.#deps;
    const scope = scopeOf();
    const name = `${scope.kind}:${scope.id}`;
    const hours: { at: number; version: number; counts: Counts }[] = [];
    const months = new Map<string, EmployerMonth>();
    for (const at of taken) {
      const counted = await this.#deps.countHour(at);
      if (counted === null) continue;
      hours.push({ at, version, counts: counted.counts });
      for (const employer of counted.employers) {
        const month = monthOf(at);
        if (!this.#stored.has(`${month} ${employer}`)) months.set(`${month} ${employer}`, [employer, month]);
      }
    }
    if (hours.length === 0) return true;
    const changed = hours.map(({ at }) => at);
    const newMonths = [...months.values()];
    const [stored] = await db.batch([
      scope.kind === "unknown"
        ? storeLogHours(db, name, hours, now())
        : storeGateHours(db, scope, hours, now()),
      markChanged(db, changed, now()),
      ...chunks(newMonths, EMPLOYERS_AT_A_TIME).map((some) => storeEmployerMonths(db, name, some)),
    ]);
    this.#remember(months.keys());
    if (stored?.results.length === hours.length) return true;
    const found = await storedVersion(db, name, changed);
    if (found === null) {
      logError("failed to hand counts over: D1 does not have the row that they belong to", { scope: name });
      return true;
    }
    marks.learnVersion(found);
    return false;
  }

  #remember(names: Iterable<string>): void {
    for (const name of names) this.#stored.add(name);
    if (this.#stored.size > REMEMBERED_EMPLOYERS) this.#stored.clear();
  }
}
