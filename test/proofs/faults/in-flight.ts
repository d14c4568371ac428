/** Counts the requests in flight per endpoint, and records when they exceed its limit. */
import type { ServerResponse } from "node:http";
import type { Endpoint } from "./endpoints.ts";

/** For a moment one more request may seem to be open, because the receiver learns late that the gateway closed a connection. */
const CROWDED_AFTER_MS = 150;

export class InFlight {
  /** One line for each time that an endpoint had more requests in flight than its limit. */
  readonly crowded: string[] = [];
  readonly #open = new Map<Endpoint, Set<ServerResponse>>();

  get size(): number {
    return [...this.#open.values()].reduce((sum, { size }) => sum + size, 0);
  }

  arrived(endpoint: Endpoint, response: ServerResponse): void {
    const open = this.#open.get(endpoint) ?? new Set();
    this.#open.set(endpoint, open.add(response));
    const together = [...open];
    response.once("close", () => open.delete(response));
    setTimeout(() => {
      const still = together.filter((each) => open.has(each)).length;
      if (open.has(response) && still > endpoint.max_in_flight)
        this.crowded.push(`${endpoint.name} had ${still} requests at a time, not ${endpoint.max_in_flight}`);
    }, CROWDED_AFTER_MS).unref();
  }

  /** The response is sent. The gateway may send the next request before this connection is seen to be closed. */
  answered(endpoint: Endpoint, response: ServerResponse): void {
    this.#open.get(endpoint)?.delete(response);
  }

  /** A lease may have expired, and the next lease holder does not know of the requests that are still open. */
  clockWentForwards(): void {
    for (const open of this.#open.values()) open.clear();
  }
}
