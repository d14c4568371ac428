/** Audit1's services. They send events, one or many per request, and resend the same request without a response or after a 503. */
import { type Chance, pause } from "./chance.ts";
import type { Environment, Owner } from "./endpoints.ts";
import type { EventRecord, EventUnit, HeardEvent } from "./event-record.ts";
import type { Target } from "./senders.ts";

const ATTEMPTS = 6;
const FIRST_BACKOFF_MS = 80;
const LONGEST_BACKOFF_MS = 2_000;
const ANSWER_LIMIT_MS = 8_000;
const DISCONNECTS = 0.03;
/** Further back than the clock is ever set. A time in the future would be replaced or rejected. */
const HAPPENED_BEFORE_MS = 86_400_000;
const LARGEST_BATCH = 8;
const LARGE_CHARS = { low: 20_000, high: 120_000 };

/** Payments are delivered to the `leaving` endpoint, audits to the `dead` one. */
const TYPES = {
  "audit.started": 2,
  "audit.completed": 2,
  "employee.created": 2,
  "employee.updated": 2,
  "policy.created": 2,
  "policy.premium_adjusted": 1,
  "payment.processed": 3,
  "payment.refunded": 1,
};
const KINDS = {
  plain: 50,
  batch: 20,
  "copies at once": 9,
  "copy later": 9,
  large: 4,
  "id used twice": 4,
  refusable: 4,
};
type Kind = keyof typeof KINDS;

interface Answer {
  success?: boolean;
  error?: string;
  results?: { success: boolean; id: string; status?: number; error?: string }[];
}

/** One service. Its events belong to one owner and environment. */
export class EventSender {
  readonly #name: string;
  readonly #about: { owner: Owner; environment: Environment };
  readonly #target: Target;
  readonly #portal: Record<string, string>;
  readonly #record: EventRecord;
  readonly #chance: Chance;
  readonly #stopped: AbortSignal;
  #count = 0;

  constructor(
    name: string,
    about: { owner: Owner; environment: Environment },
    to: { target: Target; portal: Record<string, string>; record: EventRecord },
    chance: Chance,
    stopped: AbortSignal,
  ) {
    this.#name = name;
    this.#about = about;
    this.#target = to.target;
    this.#portal = to.portal;
    this.#record = to.record;
    this.#chance = chance;
    this.#stopped = stopped;
  }

  /** Sends events, pausing about `thinkMs` in between, until it is stopped. */
  async run(thinkMs: number): Promise<void> {
    while (!this.#stopped.aborted) {
      await this.#tell(this.#chance.pick(KINDS));
      await pause(this.#chance.between(0.5, 1.5) * thinkMs);
    }
  }

  async #tell(kind: Kind): Promise<void> {
    const chance = this.#chance;
    switch (kind) {
      case "plain":
      case "large":
        return this.#deliver([this.#event(kind)]);
      case "batch": {
        const size = Math.floor(chance.between(2, LARGEST_BATCH + 1));
        return this.#deliver(Array.from({ length: size }, () => this.#event(kind)));
      }
      case "copies at once": {
        const unit = this.#event(kind);
        await Promise.all([1, 2, 3].map(() => this.#deliver([unit])));
        return;
      }
      case "copy later": {
        const unit = this.#event(kind);
        await this.#deliver([unit]);
        await this.#pause(chance.between(100, 4_000));
        return this.#deliver([unit]);
      }
      case "id used twice": {
        const unit = this.#event(kind);
        await this.#deliver([unit]);
        if (unit.takenAt === null) return;
        const { heard: _, takenAt: __, ...same } = unit;
        return this.#deliver([this.#record.open({ ...same, data: { other: true }, expects: "conflict" })]);
      }
      case "refusable": {
        const unit = this.#event(kind, "refused");
        const wrong = chance.pick({ type: 1, environment: 1, credentials: 1 });
        const body = {
          ...bodyOf(unit),
          ...(wrong === "type" && { type: "policy.forgotten" }),
          ...(wrong === "environment" && { environment: "nowhere" }),
        };
        const credentials = wrong === "credentials" ? { "x-client-secret": "wrong" } : {};
        return this.#deliver([unit], JSON.stringify(body), credentials);
      }
    }
  }

  #event(kind: Kind, expects: EventUnit["expects"] = "taken"): EventUnit {
    const chance = this.#chance;
    const id = `evt_${this.#name}_${++this.#count}`;
    const size =
      kind === "large" ? chance.between(LARGE_CHARS.low, LARGE_CHARS.high) : chance.between(0, 400);
    return this.#record.open({
      ...this.#about,
      id,
      type: chance.pick(TYPES),
      timestamp: chance.happens(0.5) ? new Date(this.#target.now() - HAPPENED_BEFORE_MS).toISOString() : null,
      data: { of: id, text: "Zürich €".repeat(size / 8), list: [1, 2.5, null, true] },
      kind,
      expects,
    });
  }

  /** Resends the request until it gets a final response, or gives up. */
  async #deliver(
    units: EventUnit[],
    body = JSON.stringify(
      units.length === 1 && units[0] !== undefined ? bodyOf(units[0]) : { events: units.map(bodyOf) },
    ),
    credentials: Record<string, string> = {},
  ): Promise<void> {
    for (let attempt = 0; attempt < ATTEMPTS && !this.#stopped.aborted; attempt++) {
      const heard = await this.#post(units, body, credentials);
      for (const [index, unit] of units.entries())
        this.#record.hear(unit, heard[index] ?? { status: null, error: null });
      if (heard.every(({ status }) => status !== null && status !== 503)) return;
      const backoff = FIRST_BACKOFF_MS * 2 ** attempt * this.#chance.between(0.5, 1.5);
      await this.#pause(Math.min(LONGEST_BACKOFF_MS, backoff));
    }
  }

  /** The response to each event. */
  async #post(units: EventUnit[], body: string, credentials: Record<string, string>): Promise<HeardEvent[]> {
    const all = (heard: HeardEvent) => units.map(() => heard);
    const limit = this.#chance.happens(DISCONNECTS) ? this.#chance.between(0, 25) : ANSWER_LIMIT_MS;
    const { url } = this.#target;
    if (url === null) return all({ status: null, error: null });
    try {
      const response = await fetch(`${url}/api/v1/events`, {
        method: "POST",
        headers: { ...this.#portal, "content-type": "application/json", ...credentials },
        body,
        signal: AbortSignal.timeout(limit),
      });
      const { status } = response;
      const { error = null, results } = (await response.json()) as Answer;
      if (results === undefined) return all({ status, error });
      return units.map(({ id }, index) => {
        const result = results[index];
        if (result?.id !== id) return { status, error: `the answer is about ${result?.id}, not ${id}` };
        return { status: result.status ?? status, error: result.error ?? null };
      });
    } catch {
      return all({ status: null, error: null });
    }
  }

  async #pause(ms: number): Promise<void> {
    if (!this.#stopped.aborted) await pause(ms);
  }
}

function bodyOf({ id, owner, environment, type, timestamp, data }: EventUnit): Record<string, unknown> {
  return { id, type, ...owner, environment, ...(timestamp !== null && { timestamp }), data };
}
