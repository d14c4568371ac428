/** The traffic during the storm: payroll systems send reports, Audit1's services send events. */
import type { Chance } from "./chance.ts";
import { HEARD, NAMESAKE, UNHEARD } from "./endpoints.ts";
import type { EventRecord } from "./event-record.ts";
import { EventSender } from "./event-senders.ts";
import type { SendingRecord } from "./record.ts";
import type { Connection } from "./reports.ts";
import { Sender, type Target } from "./senders.ts";
import { PORTAL_HEADERS } from "./setup.ts";

const SENDERS_PER_CONNECTION = 2;
/** Senders of the connection that exceeds its rate limit. */
const FLOODING_SENDERS = 6;
const FLOODING_THINK_MS = 5;
/** The owners of the services' events. The first has no webhook: its events are stored and not delivered. */
const SERVICES = [
  { owner: UNHEARD, environment: "production" },
  { owner: HEARD, environment: "production" },
  { owner: HEARD, environment: "production" },
  { owner: HEARD, environment: "sandbox" },
  { owner: NAMESAKE, environment: "production" },
] as const;

export function senders(
  connections: Connection[],
  target: Target,
  record: SendingRecord,
  thinkMs: number,
  chance: Chance,
  stopped: AbortSignal,
): Promise<void>[] {
  return connections.flatMap((connection, c) => {
    const flooding = connection.plan === "sandbox";
    return Array.from({ length: flooding ? FLOODING_SENDERS : SENDERS_PER_CONNECTION }, (_, s) =>
      new Sender(`c${c}s${s}`, connection, target, record, chance.fork(), stopped).run(
        flooding ? FLOODING_THINK_MS : thinkMs,
        flooding,
      ),
    );
  });
}

export function services(
  target: Target,
  record: EventRecord,
  tellMs: number,
  chance: Chance,
  stopped: AbortSignal,
): Promise<void>[] {
  const to = { target, portal: PORTAL_HEADERS, record };
  return SERVICES.map((about, s) => new EventSender(`s${s}`, about, to, chance.fork(), stopped).run(tellMs));
}
