/**
 * Requests that the Worker makes of its own API for somebody who has signed in. Their client travels beside the request, never in
 * it: a request that came over the wire is not in this map, whatever it carries.
 */
import type { Client } from "./context.ts";

const clients = new WeakMap<Request, Client>();

/** Makes `request` one of this client. Returns the same request. */
export function asClient(request: Request, client: Client): Request {
  clients.set(request, client);
  return request;
}

/** The client of a request of the Worker's own; undefined for every other request. */
export function clientOf(request: Request): Client | undefined {
  return clients.get(request);
}
