/** The faults during the storm: kills, clock jumps, outages of bindings, a misbehaving files-creator and receivers. */
import { setTimeout } from "node:timers/promises";
import { type Chance, pause } from "./chance.ts";
import type { FilesCreator, Weather } from "./files-creator.ts";
import type { GatewayProcess } from "./gateway-process.ts";
import { type Rates, ROUGH } from "./orders.ts";
import type { ReceiverMood, Receivers } from "./receivers.ts";
import type { SendingRecord } from "./record.ts";

export interface ChaosPlan {
  /** The time between two kills, real ms, at least and at most. */
  killEveryMs: [number, number];
}

/** `none` returns to the usual rates. */
const OUTAGES: Record<string, { weight: number; rates: Partial<Rates> }> = {
  none: { weight: 6, rates: {} },
  d1: { weight: 1, rates: { d1: 1 } },
  r2: { weight: 2, rates: { r2: 1 } },
  gate: { weight: 1, rates: { gate: 0.5 } },
  "dying gates": { weight: 1, rates: { abort: 0.15 } },
  send: { weight: 1, rates: { send: 1 } },
  "parts that hang": { weight: 1, rates: { hang: 0.15 } },
  "lossy queue": { weight: 1, rates: { drop: 0.9 } },
  "dying consumers": { weight: 1, rates: { die: 0.8 } },
};
const MOODS: Record<Weather, number> = {
  fine: 4,
  rough: 8,
  failing: 1,
  hanging: 1,
  resetting: 1,
  forgetful: 2,
  away: 1,
};
const RECEIVER_MOODS: Record<ReceiverMood, number> = { rough: 6, fine: 3, hanging: 1, away: 1 };
/** Real time. The cron runs more often than once a minute of the gateway's clock, and sometimes twice at once. */
const CRON_EVERY_MS = { low: 800, high: 4_000 };
const TWO_CRONS = 0.4;
/** In the gateway's time. A gate does not notice a step back of less than a second. */
const JUMPS = {
  "a moment": { weight: 5, ms: [100, 990] },
  seconds: { weight: 4, ms: [1_000, 50_000] },
  minutes: { weight: 2, ms: [60_000, 420_000] },
} as const;

const KILLED_WHILE_STARTING = 0.25;
const LONGEST_DOWN_MS = 700;
const TRIGGER_PATIENCE_MS = 2_000;
const INSTANTS = { "at any time": 2, "at a 202": 3, "during a POST": 3, "during a delivery": 3 };
type Instant = keyof typeof INSTANTS;

export class Chaos {
  kills = 0;
  readonly counts = new Map<string, number>();
  readonly #gateway: GatewayProcess;
  readonly #filesCreator: FilesCreator;
  readonly #receivers: Receivers;
  readonly #record: SendingRecord;
  readonly #chance: Chance;
  readonly #stopped: AbortSignal;

  constructor(
    gateway: GatewayProcess,
    others: { filesCreator: FilesCreator; receivers: Receivers },
    record: SendingRecord,
    chance: Chance,
    stopped: AbortSignal,
  ) {
    this.#gateway = gateway;
    this.#filesCreator = others.filesCreator;
    this.#receivers = others.receivers;
    this.#record = record;
    this.#chance = chance;
    this.#stopped = stopped;
  }

  /** Causes faults until it is stopped. The gateway is running when it resolves. */
  async rage(plan: ChaosPlan): Promise<void> {
    await Promise.all([
      this.#killing(plan, this.#chance.fork()),
      this.#jumping(this.#chance.fork()),
      this.#breaking(this.#chance.fork()),
      this.#moody(this.#chance.fork()),
      this.#receiving(this.#chance.fork()),
      this.#sweeping(this.#chance.fork()),
    ]);
  }

  async #killing({ killEveryMs }: ChaosPlan, chance: Chance): Promise<void> {
    while (await this.#after(chance.between(...killEveryMs))) {
      const instant = chance.pick(INSTANTS);
      await this.#reached(instant);
      await pause(chance.between(0, 8));
      await this.#gateway.kill();
      this.#count(`kill -9 ${instant}`);
      this.kills++;
      await pause(chance.between(0, LONGEST_DOWN_MS));
      if (chance.happens(KILLED_WHILE_STARTING)) {
        const started = this.#gateway.start();
        await pause(chance.between(100, 1_500));
        await this.#gateway.kill();
        await started;
        this.#count("kill -9 while it starts");
        this.kills++;
      }
      await this.#gateway.start();
      // Alarms that were set before the clock changed are rescheduled.
      await this.#gateway.order({ forwardMs: 0 });
    }
  }

  /** Resolves at the next such instant, or after a timeout. */
  async #reached(instant: Instant): Promise<void> {
    if (instant === "at any time") return;
    const { promise, resolve } = Promise.withResolvers<void>();
    if (instant === "at a 202") this.#record.onAccepted = resolve;
    else if (instant === "during a POST") this.#filesCreator.onPost = resolve;
    else this.#receivers.onRequest = resolve;
    await Promise.race([promise, pause(TRIGGER_PATIENCE_MS)]);
    this.#record.onAccepted = () => undefined;
    this.#filesCreator.onPost = () => undefined;
    this.#receivers.onRequest = () => undefined;
  }

  async #jumping(chance: Chance): Promise<void> {
    const weights = Object.fromEntries(Object.entries(JUMPS).map(([name, { weight }]) => [name, weight]));
    // A jump forwards is followed by jumps back, so that the clock stays near the real time.
    let ahead = 0;
    while (await this.#after(chance.between(600, 2_500))) {
      const size = chance.pick(weights) as keyof typeof JUMPS;
      const [low, high] = JUMPS[size].ms;
      const back = ahead > 0 ? chance.happens(0.7) : chance.happens(0.3);
      const ms = Math.round(chance.between(low, high)) * (back ? -1 : 1);
      ahead += ms;
      this.#count(`the clock jumps ${back ? "back" : "forwards"} by ${size}`);
      await this.#order({ forwardMs: ms });
    }
  }

  async #breaking(chance: Chance): Promise<void> {
    const weights = Object.fromEntries(Object.entries(OUTAGES).map(([name, { weight }]) => [name, weight]));
    while (await this.#after(chance.between(500, 2_500))) {
      const outage = chance.pick(weights);
      if (outage !== "none") this.#count(`outage: ${outage}`);
      await this.#order({ rates: { ...ROUGH, ...OUTAGES[outage]?.rates } });
    }
  }

  async #moody(chance: Chance): Promise<void> {
    while (await this.#after(chance.between(500, 3_000))) {
      this.#filesCreator.weather = chance.pick(MOODS);
      this.#count(`files-creator: ${this.#filesCreator.weather}`);
    }
    this.#filesCreator.weather = "fine";
  }

  async #receiving(chance: Chance): Promise<void> {
    while (await this.#after(chance.between(500, 3_000))) {
      this.#receivers.mood = chance.pick(RECEIVER_MOODS);
      this.#count(`receivers: ${this.#receivers.mood}`);
    }
  }

  async #sweeping(chance: Chance): Promise<void> {
    while (await this.#after(chance.between(CRON_EVERY_MS.low, CRON_EVERY_MS.high))) {
      const crons = chance.happens(TWO_CRONS) ? [1, 2] : [1];
      this.#count(crons.length === 1 ? "the cron" : "two crons at once");
      // A cron that dies with the gateway counts as missed.
      await Promise.allSettled(crons.map(() => this.#gateway.control("cron")));
    }
  }

  /** While the gateway is down, the order is stored and applied when it starts. */
  async #order(change: Parameters<GatewayProcess["order"]>[0]): Promise<void> {
    await this.#gateway.order(change).catch(() => undefined);
  }

  /** Waits. False when the storm is over, which ends a wait early. */
  async #after(ms: number): Promise<boolean> {
    await setTimeout(ms, undefined, { signal: this.#stopped }).catch(() => undefined);
    return !this.#stopped.aborted;
  }

  #count(what: string): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + 1);
  }
}
