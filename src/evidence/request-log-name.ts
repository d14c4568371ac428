/** The names of the request logs: a few objects, so that a flood of invented ids is spread over them. Pure. */

export const LOG_SHARDS = 4;
/** The shard of requests that name no connection and no key. */
export const NOBODYS_SHARD = 0;

export function logName(shard: number): string {
  return `unknown:${shard}`;
}

/** `id`: a connection's id, or a token's hash. */
export function logShardOf(id: string): number {
  return Number.parseInt(id.slice(0, 4), 16) % LOG_SHARDS;
}
