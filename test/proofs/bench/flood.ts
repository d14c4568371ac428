/**
 * How many reports a connection still gets accepted during a flood of bad signatures in its name. The flood comes from many
 * addresses, so that none is limited. Three of four clients flood, which leaves the honest ones a quarter of the CPU.
 */
import type { Round } from "./client.ts";
import { INBOUND_PATH, startGateway } from "./gateway.ts";
import type { Load } from "./load.ts";
import type { Flaw, Sender } from "./requests.ts";
import { type Modules, withoutPrinting } from "./runtime.ts";
import { type Summary, summarize } from "./statistics.ts";

const HONEST_CLIENTS = 4;
const FLOODING_CLIENTS = 12;
const REPORT_BYTES = 2_400;
/** Requests prepared per second: more than either side gets responses for. */
const EXPECTED_PER_SECOND = 8_000;

export interface Flood {
  /** Accepted a second where all clients are honest, and where {@link HONEST_CLIENTS} are. */
  alone: Summary;
  flooded: Summary;
  /** Refused a second beside the latter. */
  flood: Summary;
  /** `flooded`, of what the honest clients' share of the CPU allows. */
  share: Summary;
  statuses: Record<number, number>;
}

const answersASecond = ({ latenciesMs, seconds }: Round) => latenciesMs.length / seconds;
const acceptedASecond = ({ statuses, seconds }: Round) => (statuses[202] ?? 0) / seconds;

export async function measureFlood(
  load: Load,
  modules: Modules,
  rounds: number,
  roundMs: number,
): Promise<Flood> {
  const gateway = await startGateway("gateway-flood", withoutPrinting(modules));
  const found = { alone: [], flooded: [], flood: [], share: [] } as Record<
    "alone" | "flooded" | "flood" | "share",
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
      // The plan allows 2,000 reports per minute, so each round has its own connection.
      const [one, other] = await gateway.connections(2, "enterprise");
      if (one === undefined || other === undefined) throw new Error("no connection was made");
      const alone = await load.run(order(one, HONEST_CLIENTS + FLOODING_CLIENTS, "none"));
      const [flooded, flood] = await load.together([
        order(other, HONEST_CLIENTS, "none"),
        order(other, FLOODING_CLIENTS, "bad_signature"),
      ]);
      // The first round warms up.
      if (round < 0 || !flooded || !flood) continue;
      const allowed = acceptedASecond(alone) * (HONEST_CLIENTS / (HONEST_CLIENTS + FLOODING_CLIENTS));
      found.alone.push(acceptedASecond(alone));
      found.flooded.push(acceptedASecond(flooded));
      found.flood.push(answersASecond(flood));
      found.share.push(acceptedASecond(flooded) / allowed);
      for (const [status, count] of Object.entries(flood.statuses))
        statuses[Number(status)] = (statuses[Number(status)] ?? 0) + count;
    }
  } finally {
    await gateway.stop();
  }
  return {
    alone: summarize(found.alone),
    flooded: summarize(found.flooded),
    flood: summarize(found.flood),
    share: summarize(found.share),
    statuses,
  };
}
