/**
 * Senders that behave like real payroll systems: without a response, after a 429 and after a 503 they resend the same signed
 * request with jittered backoff, honour `Retry-After`, and give up after a while.
 */
import { type Chance, pause } from "./chance.ts";
import type { Heard, SendingRecord, Unit } from "./record.ts";
import { type Connection, refusable, reportBody, type SignedRequest, sha256, signed } from "./reports.ts";

export interface Target {
  /** Null while it is down. */
  readonly url: string | null;
  readonly clock: { speed: number };
  now(): number;
}

const ATTEMPTS = 7;
const FIRST_BACKOFF_MS = 80;
const LONGEST_BACKOFF_MS = 2_500;
const ANSWER_LIMIT_MS = 8_000;
/** Twice the longest time that a response may take by the gateway's clock. */
const HELD_AFTER_MS = 5_000;
/** The largest error of a sender's clock, in gateway milliseconds. */
const SENDER_SKEW_MS = 60_000;
const DISCONNECTS = 0.03;
const LARGE_BYTES = { low: 66_000, high: 300_000 };

/** The content types that senders give their JSON. The files-creator parses only the first. */
const LABELS = {
  "application/json": 4,
  "application/x-www-form-urlencoded": 1,
  "application/json; charset=utf8": 1,
};

const KINDS = {
  plain: 41,
  keyed: 22,
  large: 7,
  "same body": 7,
  "copies at once": 7,
  "copy later": 7,
  waiting: 3,
  "key used twice": 2,
  refusable: 7,
};
type Kind = keyof typeof KINDS;
/** A flooding sender sends many small reports. */
const FLOODING_KINDS: Record<Kind, number> = { ...KINDS, plain: 200, large: 0, waiting: 0, refusable: 0 };

interface Answer {
  file_id?: string;
  error?: string;
  code?: string;
  duplicate?: boolean;
  details?: { file_id?: string };
}

/** One payroll system of one connection. */
export class Sender {
  readonly #connection: Connection;
  readonly #target: Target;
  readonly #record: SendingRecord;
  readonly #chance: Chance;
  readonly #name: string;
  readonly #skewMs: number;
  readonly #stopped: AbortSignal;
  #count = 0;

  constructor(
    name: string,
    connection: Connection,
    target: Target,
    record: SendingRecord,
    chance: Chance,
    stopped: AbortSignal,
  ) {
    this.#name = name;
    this.#connection = connection;
    this.#target = target;
    this.#record = record;
    this.#chance = chance;
    this.#skewMs = chance.between(-SENDER_SKEW_MS, SENDER_SKEW_MS);
    this.#stopped = stopped;
  }

  /** Sends reports, pausing about `thinkMs` in between, until it is stopped. */
  async run(thinkMs: number, flooding: boolean): Promise<void> {
    while (!this.#stopped.aborted) {
      const kind = this.#chance.pick(flooding ? FLOODING_KINDS : KINDS);
      await this.#send(kind, `${this.#name}.${++this.#count}`);
      await pause(this.#chance.between(0.5, 1.5) * thinkMs);
    }
  }

  async #send(kind: Kind, name: string): Promise<void> {
    const chance = this.#chance;
    if (kind === "refusable") {
      const { wrong, request } = refusable(this.#connection, `${name}-1`, this.#signingTime(), chance);
      const to = request.path.slice(-this.#connection.id.length);
      const unit = this.#record.open(name, `wrong ${wrong}`, false, sha256(request.body), to);
      await this.#deliver(unit, request);
      return;
    }
    const size =
      kind === "large" ? chance.between(LARGE_BYTES.low, LARGE_BYTES.high) : chance.between(300, 4_000);
    const body = reportBody(name, size);
    const open = (of: string, bytes: Buffer) =>
      this.#record.open(of, kind, true, sha256(bytes), this.#connection.id);
    const unit = open(name, body);
    const key = { "idempotency-key": `key-${name}` };
    const label = { "content-type": chance.pick(LABELS) };
    let sent = 0;
    const sign = (extra: Record<string, string> = {}, of = body) =>
      signed(this.#connection, `${name}-${++sent}`, this.#signingTime(), of, { ...label, ...extra });

    switch (kind) {
      case "plain":
      case "large":
        await this.#deliver(unit, sign());
        return;
      case "waiting":
        await this.#deliver(unit, sign({ prefer: "wait=1" }));
        return;
      case "copies at once": {
        const request = sign();
        await Promise.all([1, 2, 3].map(() => this.#deliver(unit, request)));
        return;
      }
      case "copy later": {
        const request = sign();
        await this.#deliver(unit, request);
        await this.#pause(chance.between(100, 6_000));
        await this.#deliver(unit, request);
        return;
      }
      case "same body": {
        // A connection that deduplicates by body makes one file of both, any other makes two.
        await this.#deliver(unit, sign());
        if (this.#connection.deduplicates) await this.#deliver(unit, sign());
        else await this.#deliver(open(`${name}b`, body), sign());
        return;
      }
      case "key used twice": {
        await this.#deliver(unit, sign(key));
        const other = reportBody(`${name}b`, 500);
        await this.#deliver(open(`${name}b`, other), sign(key, other));
        return;
      }
      case "keyed": {
        const requests = [sign(key), sign(key)];
        if (chance.happens(0.5)) await Promise.all(requests.map((request) => this.#deliver(unit, request)));
        else for (const request of requests) await this.#deliver(unit, request);
        // An accepted copy is recognised by its signature, even without the key.
        const answered = (id: string) => unit.heard.some((h) => h.requestId === id && h.status === 202);
        const last = requests.findLast(({ requestId }) => answered(requestId));
        if (last === undefined) return;
        await this.#pause(chance.between(0, 2_000));
        const { "idempotency-key": _, ...headers } = last.headers;
        await this.#deliver(unit, { ...last, headers });
      }
    }
  }

  /** Resends the request until it gets a final response, or gives up. */
  async #deliver(unit: Unit, request: SignedRequest): Promise<void> {
    this.#record.sending(unit, request.requestId);
    for (let attempt = 0; attempt < ATTEMPTS && !this.#stopped.aborted; attempt++) {
      const { heard, retryAfterS } = await this.#post(request);
      this.#record.hear(unit, heard);
      if (heard.status !== null && heard.status !== 429 && heard.status !== 503) return;
      const backoff = FIRST_BACKOFF_MS * 2 ** attempt * this.#chance.between(0.5, 1.5);
      const asked = (retryAfterS * 1_000) / this.#target.clock.speed;
      await this.#pause(Math.min(LONGEST_BACKOFF_MS, Math.max(backoff, asked)));
    }
  }

  async #post({
    requestId,
    path,
    headers,
    body,
  }: SignedRequest): Promise<{ heard: Heard; retryAfterS: number }> {
    const unanswered = { requestId, status: null, fileId: null, error: null, code: null, duplicate: false };
    const nothing = { heard: { ...unanswered, at: Date.now() }, retryAfterS: 0 };
    const limit = this.#chance.happens(DISCONNECTS) ? this.#chance.between(0, 25) : ANSWER_LIMIT_MS;
    const { url } = this.#target;
    const sentAt = Date.now();
    if (url === null) return nothing;
    try {
      const response = await fetch(url + path, {
        method: "POST",
        headers,
        body,
        signal: AbortSignal.timeout(limit),
      });
      const { status } = response;
      const answer = (await response.json()) as Answer;
      const fileId = answer.file_id ?? answer.details?.file_id ?? null;
      return {
        heard: {
          requestId,
          status,
          fileId,
          error: answer.error ?? null,
          code: answer.code ?? null,
          duplicate: answer.duplicate ?? false,
          at: Date.now(),
        },
        retryAfterS: Number(response.headers.get("retry-after") ?? 0),
      };
    } catch {
      return { ...nothing, heard: { ...nothing.heard, held: Date.now() - sentAt >= HELD_AFTER_MS } };
    }
  }

  #signingTime(): number {
    return Math.round(this.#target.now() + this.#skewMs);
  }

  async #pause(ms: number): Promise<void> {
    if (!this.#stopped.aborted) await pause(ms);
  }
}
