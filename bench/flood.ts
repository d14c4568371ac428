/**
 * What a flood of bad signatures leaves of the acceptance of the very connection it pretends to be, sent from many addresses,
 * so that none of them is held back. The flood costs CPU; more than that it must not cost.
 */
import { INBOUND_PATH, startGateway } from "./gateway.ts";
import type { Load } from "./load.ts";
import type { Flaw, Sender } from "./requests.ts";
import { type Modules, withoutPrinting } from "./runtime.ts";
import { type Summary, summarize } from "./statistics.ts";

const HONEST_CLIENTS = 4;
const FLOODING_CLIENTS = 12;
const REPORT_BYTES = 2_400;
/** Prepared for a second; more than either side gets answered. */
const EXPECTED_PER_SECOND = 8_000;

export interface Flood {
  /** Accepted a second without a flood, and under it. */
  alone: Summary;
  flooded: Summary;
  /** Refused a second by a flood that has the gateway for itself, and beside the honest connection. */
  floodAlone: Summary;
  flood: Summary;
  /** Of what the CPU that the flood leaves allows. */
  share: Summary;
  statuses: Record<number, number>;
}

export async function measureFlood(
  load: Load,
  modules: Modules,
  rounds: number,
  roundMs: number,
): Promise<Flood> {
  const gateway = await startGateway("gateway-flood", withoutPrinting(modules));
  const found = { alone: [], flooded: [], floodAlone: [], flood: [], share: [] } as Record<
    "alone" | "flooded" | "floodAlone" | "flood" | "share",
    number[]
  >;
  const statuses: Record<number, number> = {};
  try {
    const order = (sender: Sender, clients: number, flaw: Flaw) => ({
      port: gateway.port,
      clients,
      limitMs: roundMs,
      recipe: {
        path: INBOUND_PATH,
        senders: [sender],
        bodyBytes: REPORT_BYTES,
        flaw,
        addresses: "many" as const,
        count: Math.ceil((EXPECTED_PER_SECOND * roundMs) / 1_000),
      },
    });
    for (let round = -1; round < rounds; round++) {
      // A connection's plan allows two thousand a minute: each round has its own.
      const [one, other] = await gateway.connections(2, "enterprise");
      if (one === undefined || other === undefined) throw new Error("no connection was made");
      const [alone] = await load.together([order(one, HONEST_CLIENTS, "none")]);
      const [floodAlone] = await load.together([order(other, FLOODING_CLIENTS, "bad_signature")]);
      const [flooded, flood] = await load.together([
        order(other, HONEST_CLIENTS, "none"),
        order(other, FLOODING_CLIENTS, "bad_signature"),
      ]);
      // The first round warms up.
      if (round < 0 || !alone || !floodAlone || !flooded || !flood) continue;
      const rate = (of: typeof alone, status?: number) =>
        (status === undefined ? of.latenciesMs.length : (of.statuses[status] ?? 0)) / of.seconds;
      const allowed = rate(alone, 202) * Math.max(0, 1 - rate(flood) / rate(floodAlone));
      found.alone.push(rate(alone, 202));
      found.flooded.push(rate(flooded, 202));
      found.floodAlone.push(rate(floodAlone));
      found.flood.push(rate(flood));
      found.share.push(rate(flooded, 202) / allowed);
      for (const [status, count] of Object.entries(flood.statuses))
        statuses[Number(status)] = (statuses[Number(status)] ?? 0) + count;
    }
  } finally {
    await gateway.stop();
  }
  return {
    alone: summarize(found.alone),
    flooded: summarize(found.flooded),
    floodAlone: summarize(found.floodAlone),
    flood: summarize(found.flood),
    share: summarize(found.share),
    statuses,
  };
}
