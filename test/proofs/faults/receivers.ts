/**
 * The receivers of webhooks, on real sockets, outside the process group that is killed. The requests that they received and the
 * responses that they sent decide whether deliveries pass.
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { type Chance, pause } from "./chance.ts";
import type { Character, Endpoint } from "./endpoints.ts";
import { untilClosed } from "./files-creator.ts";
import { InFlight } from "./in-flight.ts";
import { sha256 } from "./reports.ts";
import { wrongWith } from "./signatures.ts";

export interface Reception {
  endpoint: Endpoint;
  eventId: string;
  /** Of its body. */
  sha256: string;
  /** Null without a response. */
  status: number | null;
  /** What is wrong with its signatures; null when they are valid. */
  wrong: string | null;
}

export type ReceiverMood = "rough" | "fine" | "hanging" | "away";

/** How a receiver treats a request. */
type Conduct =
  | "accepts"
  | "accepts late"
  | "accepts too late"
  | "accepts and breaks off"
  | "accepts and hangs"
  | "fails"
  | "sends Retry-After"
  | "redirects"
  | "resets"
  | "hangs"
  | "responds 410";

const CONDUCTS: Record<Exclude<Character, "leaving">, Partial<Record<Conduct, number>>> = {
  steady: { accepts: 1 },
  rough: {
    accepts: 24,
    "accepts late": 5,
    "accepts too late": 1,
    "accepts and breaks off": 1,
    "accepts and hangs": 1,
    fails: 3,
    "sends Retry-After": 2,
    redirects: 1,
    resets: 2,
    hangs: 1,
  },
  slow: { accepts: 8, "accepts late": 12, "accepts too late": 1, hangs: 1 },
  dead: { fails: 4, redirects: 1, resets: 1 },
};
/** How many requests the `leaving` receiver accepts before it responds 410. */
const ACCEPTED_BEFORE_LEAVING = { low: 4, high: 10 };
/** In the gateway's time: longer than the wait before the first and second retry, shorter than all later waits. */
export const RETRY_AFTER_S = 90;
/** In real time. The gateway waits ten seconds of its own, less than two real seconds. */
const LATE_MS = { low: 300, high: 1_300 };
const TOO_LATE_MS = { low: 1_800, high: 2_500 };
/** The target of redirects, which must not be followed. */
const ELSEWHERE = "/elsewhere";

export class Receivers {
  readonly receptions: Reception[] = [];
  /** Requests to paths without a webhook. */
  readonly astray: string[] = [];
  readonly inFlight = new InFlight();
  /** When an endpoint first responded 410, in real time. */
  readonly goneSince = new Map<Endpoint, number>();
  readonly counts = new Map<string, number>();
  mood: ReceiverMood = "rough";
  lastRequestAt = 0;
  /** Called when a request arrives, before the response. */
  onRequest: () => void = () => undefined;
  readonly #chance: Chance;
  readonly #server = createServer((request, response) => {
    this.#receive(request, response).catch(() => response.destroy());
  });
  readonly #sockets = new Set<Socket>();
  readonly #endpoints = new Map<string, Endpoint>();
  readonly #patience: number;

  constructor(chance: Chance) {
    this.#chance = chance;
    this.#patience = Math.floor(chance.between(ACCEPTED_BEFORE_LEAVING.low, ACCEPTED_BEFORE_LEAVING.high));
    this.#server.on("connection", (socket) => {
      this.#sockets.add(socket);
      socket.once("close", () => this.#sockets.delete(socket));
      socket.on("error", () => undefined);
      if (this.mood === "away") socket.resetAndDestroy();
    });
  }

  async listen(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  urlOf(name: string): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/hooks/${name}`;
  }

  add(endpoint: Endpoint): void {
    this.#endpoints.set(`/hooks/${endpoint.name}`, endpoint);
  }

  async #receive(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const endpoint = this.#endpoints.get(request.url ?? "");
    if (endpoint === undefined) {
      this.astray.push(`${request.method} ${request.url}`);
      return answer(response, 404);
    }
    this.lastRequestAt = Date.now();
    const eventId = String(request.headers["webhook-id"]);
    const reception: Reception = { endpoint, eventId, sha256: "", status: null, wrong: null };
    this.inFlight.arrived(endpoint, response);
    this.onRequest();
    const body: Buffer[] = [];
    for await (const chunk of request) body.push(chunk as Buffer);
    const bytes = Buffer.concat(body);
    reception.sha256 = sha256(bytes);
    reception.wrong = wrongWith(request.headers, bytes, endpoint);
    this.receptions.push(reception);
    const conduct = this.#conductOf(endpoint);
    this.#count(conduct);
    await this.#behave(conduct, reception, response);
  }

  #conductOf(endpoint: Endpoint): Conduct {
    const { character } = endpoint;
    if (character === "leaving") {
      const soFar = this.receptions.filter((reception) => reception.endpoint === endpoint).length;
      return soFar > this.#patience ? "responds 410" : "accepts";
    }
    if (character !== "dead" && this.mood === "fine") return "accepts";
    if (character !== "dead" && this.mood === "hanging") return "hangs";
    return this.#chance.pick(CONDUCTS[character] as Record<Conduct, number>);
  }

  async #behave(conduct: Conduct, reception: Reception, response: ServerResponse): Promise<void> {
    const chance = this.#chance;
    switch (conduct) {
      case "accepts":
        await pause(chance.between(0, 20));
        return this.#answer(reception, response, chance.happens(0.5) ? 200 : 204);
      case "accepts late":
        await pause(chance.between(LATE_MS.low, LATE_MS.high));
        return this.#answer(reception, response, 200);
      case "accepts too late":
        await pause(chance.between(TOO_LATE_MS.low, TOO_LATE_MS.high));
        return this.#answer(reception, response, 200);
      case "accepts and breaks off":
        this.#begin(reception, response, 200, { "content-length": "100" }, "{");
        await pause(1);
        return void response.destroy();
      case "accepts and hangs":
        this.#begin(reception, response, 202, { "content-length": "100" }, "{");
        return untilClosed(response);
      case "fails":
        return this.#answer(reception, response, chance.happens(0.5) ? 500 : 503);
      case "sends Retry-After":
        return this.#answer(reception, response, 429, { "retry-after": String(RETRY_AFTER_S) });
      case "redirects":
        return this.#answer(reception, response, chance.happens(0.5) ? 302 : 307, { location: ELSEWHERE });
      case "resets":
        return void response.socket?.resetAndDestroy();
      case "hangs":
        return untilClosed(response);
      case "responds 410":
        if (!this.goneSince.has(reception.endpoint)) this.goneSince.set(reception.endpoint, Date.now());
        return this.#answer(reception, response, 410);
    }
  }

  #answer(
    reception: Reception,
    response: ServerResponse,
    status: number,
    headers: Record<string, string> = {},
  ): void {
    this.inFlight.answered(reception.endpoint, response);
    this.#begin(reception, response, status, headers, status === 204 ? "" : '{"received":true}');
    if (!response.destroyed) response.end();
  }

  #begin(
    reception: Reception,
    response: ServerResponse,
    status: number,
    headers: Record<string, string>,
    text: string,
  ): void {
    if (response.destroyed) return;
    reception.status = status;
    response.writeHead(status, { "content-type": "application/json", ...headers });
    if (text !== "") response.write(text);
  }

  #count(what: string): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + 1);
  }
}

function answer(response: ServerResponse, status: number): void {
  response.writeHead(status).end();
}
