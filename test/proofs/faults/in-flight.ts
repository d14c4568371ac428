/** Counts the requests that are open at each endpoint, and notes when they are more than it allows. */
import type { ServerResponse } from "node:http";
import type { Endpoint } from "./endpoints.ts";

/** For a moment one more may seem open: that the gateway has closed a connection is learned after it has. */
const CROWDED_AFTER_MS = 150;

export class InFlight {
  /** Times at which an endpoint had more requests open than it allows. */
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

  /** It is answered: whoever asked may have the next request on its way before this one is known to have closed. */
  answered(endpoint: Endpoint, response: ServerResponse): void {
    this.#open.get(endpoint)?.delete(response);
  }

  /** Whoever held an endpoint may hold it no longer, and the next one knows nothing of the requests that are still open. */
  clockWentForwards(): void {
    for (const open of this.#open.values()) open.clear();
  }
}
