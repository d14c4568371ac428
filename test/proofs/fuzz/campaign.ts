/** One campaign: sends all requests, then checks what the gateway and the files-creator have stored. */
import fc from "fast-check";
import { type Answered, Client } from "./client.ts";
import { type Gateway, type Sender, startGateway } from "./gateway.ts";
import type { Outgoing, Recipe } from "./outgoing.ts";
import { rawRequest } from "./raw.ts";
import { recipe } from "./recipes.ts";
import { Tally } from "./tally.ts";
import { trickle } from "./trickle.ts";

export interface CampaignOptions {
  requests: number;
  seed: number;
  /** Called from time to time with the number of requests sent. */
  onProgress?: (sent: number) => void;
}

export interface CampaignResult {
  tally: Tally;
  accepted: number;
  slowReports: number;
  /** Every violation found; empty when there is none. */
  problems: string[];
}

const SOCKETS = 24;
const BATCH = 500;
/** The share of requests that are not HTTP. */
const RAW_SHARE = 0.05;
const REPORTS_PER_CONNECTION = 700;
const SLOW_SENDERS = 6;
/** The longest allowed response time. A slower request is repeated on its own, to tell a slow request from a slow machine. */
export const SLOWEST_ANSWER_MS = 1_000;
const DRAINED_WITHIN_MS = 60_000;
const MAX_PROBLEMS = 30;

export async function runCampaign(options: CampaignOptions): Promise<CampaignResult> {
  const gateway = await startGateway();
  try {
    return await new Campaign(gateway, options).run();
  } finally {
    await gateway.stop();
  }
}

class Campaign {
  readonly #gateway: Gateway;
  readonly #options: CampaignOptions;
  readonly #client: Client;
  readonly #tally = new Tally();
  readonly #problems: string[] = [];
  readonly #accepted = new Set<string>();
  readonly #late: { made: Recipe; outgoing: Outgoing }[] = [];
  #senders: Sender[] = [];

  constructor(gateway: Gateway, options: CampaignOptions) {
    this.#gateway = gateway;
    this.#options = options;
    this.#client = new Client(gateway.port, SOCKETS);
  }

  async run(): Promise<CampaignResult> {
    const { requests, seed } = this.#options;
    this.#senders = await this.#gateway.connections(
      Math.ceil(requests / REPORTS_PER_CONNECTION) + SLOW_SENDERS,
    );
    const stop = new AbortController();
    const slowSenders = Promise.all(
      this.#senders.slice(0, SLOW_SENDERS).map((sender) => trickle(this.#gateway, sender, stop.signal)),
    ).catch((error: unknown) => {
      this.#problem(String(error));
      return [];
    });
    for (let sent = 0, batch = 0; sent < requests; batch++) {
      const size = Math.min(BATCH, requests - sent);
      await this.#sendBatch(size, seed + batch);
      sent += size;
      this.#options.onProgress?.(sent);
    }
    stop.abort();
    const slowReports = (await slowSenders).flat();
    for (const fileId of slowReports) this.#accepted.add(fileId);
    await this.#inspectWhatIsStored();
    this.#client.close();
    return {
      tally: this.#tally,
      accepted: this.#accepted.size,
      slowReports: slowReports.length,
      problems: this.#problems,
    };
  }

  async #sendBatch(size: number, seed: number): Promise<void> {
    const rawCount = Math.floor(size * RAW_SHARE);
    const recipes = fc.sample(recipe, { numRuns: size - rawCount, seed });
    const raw = fc.sample(rawRequest(this.#senders.map(({ id }) => id)), { numRuns: rawCount, seed });
    const work = [
      ...recipes.map((made, i) => () => this.#follow(made, this.#senders[(seed + i) % this.#senders.length])),
      ...raw.map((bytes) => () => this.#sendRaw(bytes)),
    ].values();
    const worker = async () => {
      for (const task of work) await task();
    };
    await Promise.all(Array.from({ length: SOCKETS }, worker));
    await this.#askLateAgain();
  }

  async #askLateAgain(): Promise<void> {
    for (const { made, outgoing } of this.#late.splice(0)) {
      const answered = await this.#send(made, outgoing, { alone: true });
      if (answered?.status === 202) this.#accepted.add(JSON.parse(answered.text).file_id);
    }
  }

  async #follow(made: Recipe, sender: Sender | undefined): Promise<void> {
    if (sender === undefined) throw new Error("there is no sender");
    const outgoing = made.make(sender, Date.now());
    const fileIds = new Set<string>();
    for (let time = 0; time < made.times; time++) {
      const answered = await this.#send(made, outgoing);
      if (answered === null) return;
      this.#judge(made, outgoing, answered);
      if (answered.status === 202) fileIds.add(JSON.parse(answered.text).file_id);
    }
    if (fileIds.size > 1) this.#problem(`${made.kind}: ${fileIds.size} files came of one request`);
    for (const fileId of fileIds) this.#accepted.add(fileId);
  }

  async #send(made: Recipe, outgoing: Outgoing, { alone = false } = {}): Promise<Answered | null> {
    const { kind, cutOff } = made;
    try {
      const answered = await this.#client.send(outgoing);
      this.#tally.count(kind, answered.status, answered.ms);
      if (answered.ms > SLOWEST_ANSWER_MS) {
        if (alone) this.#problem(`${kind}: answered after ${Math.round(answered.ms)} ms`);
        else this.#late.push({ made, outgoing });
      }
      return answered;
    } catch (error) {
      this.#tally.count(kind, null, 0);
      if (!cutOff) this.#problem(`${kind}: no answer to ${describe(outgoing)}: ${String(error)}`);
      return null;
    }
  }

  #judge({ kind, statuses }: Recipe, outgoing: Outgoing, { status, headers, text }: Answered): void {
    const wrong = (what: string) =>
      this.#problem(`${kind}: ${what}: ${describe(outgoing)}: ${text.slice(0, 200)}`);
    if (!statuses.includes(status)) wrong(`${status} instead of ${statuses.join(", ")}`);
    if (status >= 500 && !(status === 503 && headers["retry-after"] !== undefined)) wrong(String(status));
    if (headers["x-request-id"] === undefined) wrong(`${status} without a request id`);
    if (status < 400 || outgoing.method === "HEAD") return;
    const form = /^\{"error":"[^"]+","message":.*"code":"[A-Z_]+".*"request_id":.*"timestamp":/s;
    if (!form.test(text)) wrong(`${status} that is not in the form of an error`);
  }

  async #sendRaw(bytes: Buffer): Promise<void> {
    const statuses = await this.#client.sendRaw(bytes);
    if (statuses.length === 0) this.#tally.count("not HTTP", null, 0);
    for (const status of statuses) {
      this.#tally.count("not HTTP", status, 0);
      // The runtime's server in front of the Worker accepts only the methods of HTTP.
      const right = status < 200 || (status >= 400 && status < 500) || status === 501 || status === 503;
      if (!right)
        this.#problem(`not HTTP: ${status}: ${JSON.stringify(bytes.toString("latin1").slice(0, 200))}`);
    }
  }

  /** Checks that each 202 is stored once, in the gates and at the files-creator, and nothing else is. */
  async #inspectWhatIsStored(): Promise<void> {
    const deadline = Date.now() + DRAINED_WITHIN_MS;
    const forwarded = () => new Set(this.#gateway.received.map(({ fileId }) => fileId));
    while (forwarded().size < this.#accepted.size && Date.now() < deadline)
      await new Promise((resolve) => setTimeout(resolve, 100));
    this.#compare("the files-creator", forwarded());
    const listed = new Set<string>();
    for (const { id } of this.#senders)
      for (const { file_id: fileId } of await this.#gateway.list(id)) listed.add(fileId);
    this.#compare("the gates", listed);
    if (this.#gateway.gates() > this.#senders.length + 1)
      this.#problem(`${this.#gateway.gates()} gates exist for ${this.#senders.length} connections and a key`);
    if (!this.#gateway.alive()) this.#problem("the gateway's process has ended");
    if (this.#gateway.errors.length > 0)
      this.#problem(`logged: ${this.#gateway.errors.slice(0, 3).join("\n")}`);
  }

  #compare(who: string, held: Set<string>): void {
    const missing = this.#accepted.difference(held).size;
    const unasked = held.difference(this.#accepted).size;
    if (missing > 0) this.#problem(`${who} lack ${missing} accepted files`);
    if (unasked > 0) this.#problem(`${who} hold ${unasked} files that were never answered with 202`);
  }

  #problem(text: string): void {
    if (this.#problems.length < MAX_PROBLEMS) this.#problems.push(text);
  }
}

function describe({ method, path, headers }: Outgoing): string {
  return `${method} ${path.slice(0, 100)} ${JSON.stringify(headers).slice(0, 400)}`;
}
