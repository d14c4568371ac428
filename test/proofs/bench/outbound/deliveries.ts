/**
 * Deliveries per second, in turns with a floor whose consumer only fetches the same receiver, with as many requests in flight. All
 * deliveries are in D1 before a turn begins: the endpoints are leased until then.
 */
import { type Gateway, startGateway } from "../gateway.ts";
import { type Modules, type Runtime, startWorkers, withoutPrinting } from "../runtime.ts";
import { type Summary, summarize } from "../statistics.ts";
import { DATA_BYTES, leaseAll, ownerOf, publishMany, register, releaseAll } from "./endpoints.ts";
import type { Receipt, Receiver } from "./receiver.ts";

export const OUTBOUND_FLOOR_CONFIG = "test/proofs/bench/outbound-floor/wrangler.toml";
/** All of one owner, so that an event is delivered to each. */
export const ENDPOINTS = 24;
/** The envelope around an event's data. */
const ENVELOPE_BYTES = 230;
/** How often a message of the floor repeats its URLs, so that a batch lasts about as long as the gateway's. */
const TIMES_PER_MESSAGE = 10;
const TURN_LIMIT_MS = 120_000;
const OWNER = ownerOf("deliveries");

export interface Deliveries {
  deliveriesPerTurn: number;
  floor: Summary;
  gateway: Summary;
  ratio: Summary;
  /** User and system seconds of the runtime for 10 000 deliveries. */
  cpuPer10k: { floor: Summary; gateway: Summary };
}

export async function measureDeliveries(
  receiver: Receiver,
  modules: { gateway: Modules; standIn: Modules; outboundFloor: Modules },
  { turns, eventsPerTurn }: { turns: number; eventsPerTurn: number },
): Promise<Deliveries> {
  const { standIn } = modules;
  const gateway = await startGateway("deliveries", withoutPrinting(modules.gateway), { standIn });
  const floor = await startWorkers("outbound-floor", [
    { config: OUTBOUND_FLOOR_CONFIG, modules: modules.outboundFloor },
  ]);
  try {
    const urls = Array.from({ length: ENDPOINTS }, (_, i) => `${receiver.url}/endpoint/${i}`);
    const ids = await register(gateway, () => OWNER, urls);
    const floorTurns: Turn[] = [];
    const gatewayTurns: Turn[] = [];
    // The first turn warms up.
    for (let turn = -1; turn < turns; turn++) {
      const ofFloor = await floorTurn(floor, receiver, urls, eventsPerTurn);
      const ofGateway = await gatewayTurn(gateway, receiver, ids, eventsPerTurn);
      if (turn < 0) continue;
      floorTurns.push(ofFloor);
      gatewayTurns.push(ofGateway);
    }
    return {
      deliveriesPerTurn: ENDPOINTS * eventsPerTurn,
      floor: summarize(floorTurns.map(({ perSecond }) => perSecond)),
      gateway: summarize(gatewayTurns.map(({ perSecond }) => perSecond)),
      ratio: summarize(
        gatewayTurns.map(({ perSecond }, turn) => perSecond / (floorTurns[turn]?.perSecond ?? Number.NaN)),
      ),
      cpuPer10k: {
        floor: summarize(floorTurns.flatMap(({ cpuPer10k }) => cpuPer10k ?? [])),
        gateway: summarize(gatewayTurns.flatMap(({ cpuPer10k }) => cpuPer10k ?? [])),
      },
    };
  } finally {
    await Promise.all([floor.stop(), gateway.stop()]);
  }
}

interface Turn {
  perSecond: number;
  cpuPer10k: number | null;
}

async function gatewayTurn(
  gateway: Gateway,
  receiver: Receiver,
  ids: string[],
  events: number,
): Promise<Turn> {
  await leaseAll(gateway, ids);
  await publishMany(gateway, OWNER, events);
  return turnOf(gateway, receiver, ids.length * events, () => releaseAll(gateway, ids));
}

function floorTurn(floor: Runtime, receiver: Receiver, urls: string[], events: number): Promise<Turn> {
  return turnOf(floor, receiver, urls.length * events, async () => {
    const message = { urls, times: TIMES_PER_MESSAGE, bytes: DATA_BYTES + ENVELOPE_BYTES };
    const messages = Array.from({ length: events / TIMES_PER_MESSAGE }, () => message);
    await fetch(`http://127.0.0.1:${floor.port}/`, { method: "POST", body: JSON.stringify(messages) });
  });
}

async function turnOf(
  server: Runtime,
  receiver: Receiver,
  deliveries: number,
  start: () => Promise<unknown>,
): Promise<Turn> {
  const before = server.cpuSeconds();
  const received = receiver.take(deliveries, TURN_LIMIT_MS);
  await Promise.all([received, start()]);
  const after = server.cpuSeconds();
  return {
    perSecond: rateOf(await received),
    cpuPer10k: before === null || after === null ? null : ((after - before) / deliveries) * 10_000,
  };
}

/** From the first receipt to the last. */
function rateOf(receipts: readonly Receipt[]): number {
  const first = receipts[0]?.at ?? 0;
  const last = receipts.at(-1)?.at ?? 0;
  return (receipts.length - 1) / ((last - first) / 1_000);
}
