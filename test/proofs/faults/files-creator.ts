/**
 * A files-creator on real sockets, outside the process group that is killed. Its stored files decide whether a run passes. It
 * keeps the wire contract (one verdict per `Idempotency-Key`, repeats are dropped) and misbehaves in every way that the contract
 * allows.
 */
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { type Chance, pause } from "./chance.ts";
import type { ProgressReports } from "./progress-reports.ts";
import { sha256 } from "./reports.ts";

export interface StoredFile {
  key: string;
  fileId: string;
  sha256: string;
}

/** How it treats a POST. Each conduct that stores a file stores it once per key. */
const CONDUCTS = [
  "accepts",
  "fails",
  "sends Retry-After",
  "hangs",
  "resets",
  "stores and fails",
  "stores and hangs",
  "stores and resets",
  "stores and answers too late",
  "stores and breaks off",
] as const;
export type Conduct = (typeof CONDUCTS)[number];
export type Weather = "fine" | "rough" | "failing" | "hanging" | "resetting" | "forgetful" | "away";

const rough = Object.fromEntries(CONDUCTS.map((name) => [name, name === "accepts" ? 14 : 1])) as Record<
  Conduct,
  number
>;
const WEATHERS: Record<Exclude<Weather, "away">, Partial<Record<Conduct, number>>> = {
  fine: { accepts: 1 },
  rough,
  failing: { fails: 3, "sends Retry-After": 1 },
  hanging: { hangs: 1, "stores and hangs": 1, accepts: 2 },
  resetting: { resets: 1, "stores and resets": 1, "stores and breaks off": 1 },
  forgetful: { "stores and fails": 1, "stores and answers too late": 1, accepts: 1 },
};

/** A plain `express.json()` parses no other content type, and then the files-creator refuses the report for good. */
const READ_BY_EXPRESS = /^application\/json(?:;\s*charset=utf-[^;]*)?$/i;
const REFUSED_SHARE = 0.03;
const REPORTED_SHARE = 0.6;

export class FilesCreator {
  readonly stored = new Map<string, StoredFile>();
  readonly refused = new Map<string, string>();
  /** Keys that were posted again with other bytes. */
  readonly otherBytes: string[] = [];
  readonly reports: ProgressReports;
  readonly counts = new Map<string, number>();
  weather: Weather = "fine";
  lastPostAt = 0;
  inFlight = 0;
  /** Called when a POST arrives, before the response. */
  onPost: () => void = () => undefined;
  readonly #chance: Chance;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  constructor(chance: Chance, reports: ProgressReports) {
    this.#chance = chance;
    this.reports = reports;
    this.#server = createServer((request, response) => {
      this.#receive(request, response).catch(() => response.destroy());
    });
    this.#server.on("connection", (socket) => {
      this.#sockets.add(socket);
      socket.once("close", () => this.#sockets.delete(socket));
      if (this.weather === "away") socket.resetAndDestroy();
    });
  }

  async listen(): Promise<number> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    return (this.#server.address() as AddressInfo).port;
  }

  async close(): Promise<void> {
    this.reports.stop();
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #receive(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.inFlight++;
    response.once("close", () => this.inFlight--);
    this.lastPostAt = Date.now();
    this.onPost();
    const conduct =
      this.weather === "away"
        ? "resets"
        : this.#chance.pick(WEATHERS[this.weather] as Record<Conduct, number>);
    this.#count(conduct);
    if (conduct === "resets") return reset(request);
    const body: Buffer[] = [];
    for await (const chunk of request) body.push(chunk as Buffer);
    const key = String(request.headers["idempotency-key"]);
    const fileId = String(request.headers["x-audit1-file-id"]);
    const known = this.stored.has(key);
    const digest = sha256(Buffer.concat(body));
    if (known) {
      this.#count("drops a repeat");
      if (this.stored.get(key)?.sha256 !== digest) this.otherBytes.push(key);
    }

    if (!READ_BY_EXPRESS.test(request.headers["content-type"] ?? "")) {
      this.#count("refuses a content type");
      return answer(response, 415);
    }
    if (conduct === "fails") return answer(response, this.#chance.happens(0.5) ? 500 : 503);
    if (conduct === "sends Retry-After") {
      return answer(response, 429, { "retry-after": String(Math.round(this.#chance.between(1, 90))) });
    }
    if (conduct === "hangs") return untilClosed(response);
    if (this.#refuses(key, fileId)) return answer(response, 422);

    if (!known) {
      this.stored.set(key, { key, fileId, sha256: digest });
      if (this.#chance.happens(REPORTED_SHARE)) {
        const reporting = this.reports.tellAll(key, fileId);
        if (this.#chance.happens(0.3)) await Promise.race([reporting, pause(500)]);
      }
    }
    if (conduct === "stores and fails") return answer(response, 500);
    if (conduct === "stores and hangs") return untilClosed(response);
    if (conduct === "stores and resets") return reset(request);
    if (conduct === "stores and answers too late") {
      await pause(this.#chance.between(4_000, 7_000));
      return answer(response, this.#chance.happens(0.5) ? 202 : 500);
    }
    if (conduct === "stores and breaks off") {
      response.writeHead(202, { "content-length": "100" }).write("{");
      await pause(1);
      response.destroy();
      return;
    }
    await pause(this.#chance.between(0, 20));
    answer(response, 202);
  }

  /** One verdict per key. Later generations are accepted: an operator has looked at the report. */
  #refuses(key: string, fileId: string): boolean {
    if (this.refused.has(key)) return true;
    if (this.stored.has(key) || key !== fileId || !this.#chance.happens(REFUSED_SHARE)) return false;
    this.refused.set(key, fileId);
    this.#count("refuses");
    return true;
  }

  #count(what: string): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + 1);
  }
}

/** Never responds: the client times out first. */
export async function untilClosed(response: ServerResponse): Promise<void> {
  if (!response.destroyed) await once(response, "close");
}

function reset(request: IncomingMessage): void {
  request.socket.resetAndDestroy();
}

function answer(response: ServerResponse, status: number, headers: Record<string, string> = {}): void {
  if (response.destroyed) return;
  response.writeHead(status, { "content-type": "application/json", ...headers });
  response.end(status < 300 ? '{"status":"processing","records_total":1}' : '{"error":"not now"}');
}
