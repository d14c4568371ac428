/**
 * What a flood of bad signatures leaves of the acceptance of the very connection it pretends to be, sent from many addresses,
 * so that none of them is held back. The flood costs CPU; more than that it must not cost.
 */

import type { Order, Round } from "./client.ts";
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
  /** Accepted, of what the CPU that the flood leaves allows; of no turn where the system does not tell. */
  share: Summary;
  statuses: Record<number, number>;
}

const answersOf = ({ latenciesMs }: Round) => latenciesMs.length;
const acceptedOf = ({ statuses }: Round) => statuses[202] ?? 0;

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
    const spent = async (orders: Order[]) => {
      const before = gateway.cpuSeconds();
      const rounds = await load.together(orders);
      const after = gateway.cpuSeconds();
      return { rounds, cpu: before === null || after === null ? null : after - before };
    };
    for (let round = -1; round < rounds; round++) {
      // A connection's plan allows two thousand a minute: each round has its own.
      const [one, other] = await gateway.connections(2, "enterprise");
      if (one === undefined || other === undefined) throw new Error("no connection was made");
      const alone = await spent([order(one, HONEST_CLIENTS, "none")]);
      const floodAlone = await spent([order(other, FLOODING_CLIENTS, "bad_signature")]);
      const both = await spent([
        order(other, HONEST_CLIENTS, "none"),
        order(other, FLOODING_CLIENTS, "bad_signature"),
      ]);
      const [accepted] = alone.rounds;
      const [refused] = floodAlone.rounds;
      const [flooded, flood] = both.rounds;
      // The first round warms up.
      if (round < 0 || !accepted || !refused || !flooded || !flood) continue;
      found.alone.push(acceptedOf(accepted) / accepted.seconds);
      found.flooded.push(acceptedOf(flooded) / flooded.seconds);
      found.floodAlone.push(answersOf(refused) / refused.seconds);
      found.flood.push(answersOf(flood) / flood.seconds);
      if (alone.cpu !== null && floodAlone.cpu !== null && both.cpu !== null) {
        const busiest = Math.max(
          alone.cpu / accepted.seconds,
          floodAlone.cpu / refused.seconds,
          both.cpu / flooded.seconds,
        );
        const left = busiest * flooded.seconds - answersOf(flood) * (floodAlone.cpu / answersOf(refused));
        const allowed = left / (alone.cpu / acceptedOf(accepted));
        found.share.push(acceptedOf(flooded) / allowed);
      }
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
