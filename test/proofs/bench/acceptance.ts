/**
 * Acceptance and refusal. A set restarts every server and lets them take turns. It ends before the gates' alarms look for a
 * missing consumer, and other load on the machine falls on all servers alike.
 */
import { ALTERNATIVE_PATH, startAlternative } from "./alternative.ts";
import { EMPLOYEES_PATH, INBOUND_PATH, PAYROLL_PATH, startGateway } from "./gateway.ts";
import type { Load } from "./load.ts";
import type { Flaw, Recipe, Sender, Sent } from "./requests.ts";
import { type Modules, type Server, startWorkers, withoutPrinting } from "./runtime.ts";
import { measure, type Samples } from "./samples.ts";

export const FLOOR_CONFIG = "test/proofs/bench/floor/wrangler.toml";
const FLOOR_PATH = "/";
const CLIENTS = 16;
const CONNECTIONS = 200;
/** Their quota is used up before they are refused: 100 per minute on the smallest plan. */
const LIMITED_CONNECTIONS = 8;
const SANDBOX_PER_MINUTE = 100;
const EXHAUST_LIMIT_MS = 10_000;
/** Warm-up, until the engine has compiled the hot code. */
const WARM_UP_REPORTS = 1_500;
const WARM_UP_LIMIT_MS = 4_000;

export const REPORT_BYTES = 2_400;
export const OTHER_SIZES = { "300 B": 300, "100 KB": 100_000, "1 MB": 1_000_000 };
export const REFUSALS = ["bad signature", "expired timestamp", "unknown connection", "rate-limited"] as const;
const FLAWS: Record<Exclude<(typeof REFUSALS)[number], "rate-limited">, Flaw> = {
  "bad signature": "bad_signature",
  "expired timestamp": "expired",
  "unknown connection": "unknown_connection",
};
/** Acceptance that took turns with the refusals, which they are compared with. */
export const BESIDE_REFUSALS = "gateway, 2.4 KB, beside refusals";
/** Of what is measured beside reports of 2.4 KB. */
export const OTHER_TURNS = 2;

/** The floor, the gateway and Express: the first contenders. */
const OF_OTHER_SIZES = 3;

/** An upper bound of every server's requests per second, by body size. */
const EXPECTED = { "300 B": 5_000, "2.4 KB": 5_000, "100 KB": 1_000, "1 MB": 250, refusals: 10_000 };

/** A server under measurement, or another endpoint of the gateway. */
export type Contestant =
  | "floor"
  | "gateway"
  | "gateway, other checkout"
  | "express"
  | "gateway, printing"
  | "gateway, payroll under a key"
  | "gateway, employees under a key";

/** Names of what a set measures, as the report shows them. */
export const nameOf = (contestant: Contestant, size = "2.4 KB") => `${contestant}, ${size}`;
export const refusalOf = (kind: (typeof REFUSALS)[number]) => `refused: ${kind}`;

export interface Pace {
  /** Turns per server in a set. Turns are short, so that a busy moment of the machine affects all servers. */
  turns: number;
  turnMs: number;
}

/** The gateway of another checkout, such as before a change. */
export interface OtherCheckout {
  checkout: string;
  modules: Modules;
}

interface Contender {
  name: Contestant;
  server: Server;
  path: string;
  senders: Sender[];
  sent?: Sent;
}

export async function measureSet(
  load: Load,
  modules: { floor: Modules; gateway: Modules; against?: OtherCheckout | undefined },
  pace: Pace,
  samples: Samples,
): Promise<void> {
  const floor = await startWorkers("floor", [{ config: FLOOR_CONFIG, modules: modules.floor }]);
  const gateway = await startGateway("gateway", withoutPrinting(modules.gateway));
  const printing = await startGateway("gateway-printing", modules.gateway);
  const senders = await gateway.connections(CONNECTIONS, "enterprise");
  const limited = await gateway.connections(LIMITED_CONNECTIONS, "sandbox");
  const keys = await gateway.keys(CONNECTIONS);
  const printingSenders = await printing.connections(CONNECTIONS, "enterprise");
  const { against } = modules;
  const other = against && (await startGateway("gateway-other", withoutPrinting(against.modules), against));
  const otherSenders = await other?.connections(CONNECTIONS, "enterprise");
  const express = await startAlternative(senders);
  try {
    const contenders: Contender[] = [
      { name: "floor", server: floor, path: FLOOR_PATH, senders },
      { name: "gateway", server: gateway, path: INBOUND_PATH, senders },
      { name: "express", server: express, path: ALTERNATIVE_PATH, senders },
      ...(other && otherSenders
        ? [
            {
              name: "gateway, other checkout" as const,
              server: other,
              path: INBOUND_PATH,
              senders: otherSenders,
            },
          ]
        : []),
      { name: "gateway, printing", server: printing, path: INBOUND_PATH, senders: printingSenders },
      {
        name: "gateway, payroll under a key",
        server: gateway,
        path: PAYROLL_PATH,
        senders: keys,
        sent: "payroll_report",
      },
      {
        name: "gateway, employees under a key",
        server: gateway,
        path: EMPLOYEES_PATH,
        senders: keys,
        sent: "employee_sync",
      },
    ];
    const take = (
      { server, path, senders: from, sent = "webhook" }: Omit<Contender, "name">,
      milliseconds: number,
      expected: number,
      given: Partial<Recipe> = {},
    ) => {
      const recipe = {
        sent,
        path,
        senders: from,
        bodyBytes: REPORT_BYTES,
        flaw: "none",
        addresses: "many",
        ...given,
      } as const;
      return measure(load, server, { clients: CLIENTS, milliseconds, recipe }, expected);
    };

    const warmUp = (WARM_UP_REPORTS * 1_000) / WARM_UP_LIMIT_MS;
    for (const contender of contenders) await take(contender, WARM_UP_LIMIT_MS, warmUp);
    for (let turn = 0; turn < pace.turns; turn++) {
      for (const contender of contenders)
        samples.add(nameOf(contender.name), await take(contender, pace.turnMs, EXPECTED["2.4 KB"]));
    }
    for (const [size, bodyBytes] of Object.entries(OTHER_SIZES)) {
      const expected = EXPECTED[size as keyof typeof OTHER_SIZES];
      for (let turn = 0; turn < OTHER_TURNS; turn++) {
        for (const contender of contenders.slice(0, OF_OTHER_SIZES))
          samples.add(
            nameOf(contender.name, size),
            await take(contender, pace.turnMs, expected, { bodyBytes }),
          );
      }
    }

    // The number of confirmed refusals per second is limited.
    const refusalsMs = 2 * pace.turnMs;
    const known = { server: gateway, path: INBOUND_PATH, senders };
    const used = { ...known, senders: limited };
    await take(used, EXHAUST_LIMIT_MS, (LIMITED_CONNECTIONS * SANDBOX_PER_MINUTE * 1_000) / EXHAUST_LIMIT_MS);
    for (let turn = 0; turn < OTHER_TURNS; turn++) {
      samples.add(BESIDE_REFUSALS, await take(known, pace.turnMs, EXPECTED["2.4 KB"]));
      samples.add(refusalOf("rate-limited"), await take(used, refusalsMs, EXPECTED.refusals));
      for (const [kind, flaw] of Object.entries(FLAWS) as [keyof typeof FLAWS, Flaw][])
        samples.add(refusalOf(kind), await take(known, refusalsMs, EXPECTED.refusals, { flaw }));
    }
  } finally {
    await Promise.all([floor.stop(), gateway.stop(), other?.stop(), printing.stop(), express.stop()]);
  }
}
