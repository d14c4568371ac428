/** The numbers about the gateway itself, for staff. */
import type { HealthAnswer } from "../../../portal/health-routes.ts";
import { DELIVERY_OVERDUE_MS, REPORT_WAITING_MS } from "../../goals.ts";
import { sentence } from "../../parts/badge.tsx";
import { duration, number } from "../../parts/values.tsx";
import { to } from "../../paths.ts";
import { Tile } from "./tile.tsx";

const SECOND_MS = 1_000;

export function GatewayTiles({ health: { late, checks } }: { health: HealthAnswer }) {
  if (checks === undefined) return null;
  const { files, deliveries, queues } = checks;
  return (
    <>
      <Waiting
        label="Waiting report"
        seconds={files.oldest_waiting_seconds}
        isLate={late.includes("files")}
        allowedMs={REPORT_WAITING_MS}
        href={to.reports()}
      />
      <Waiting
        label="Overdue delivery"
        seconds={deliveries.oldest_overdue_seconds}
        isLate={late.includes("deliveries")}
        allowedMs={DELIVERY_OVERDUE_MS}
        href={to.deliveries({ status: "pending" })}
      />
      <Queues queues={queues} isLate={late.includes("queues")} />
    </>
  );
}

interface WaitingProps {
  label: string;
  /** Null: could not be read. */
  seconds: number | null;
  isLate: boolean;
  /** After this an alert opens. */
  allowedMs: number;
  href: string;
}

function Waiting({ label, seconds, isLate, allowedMs, href }: WaitingProps) {
  const ms = (seconds ?? 0) * SECOND_MS;
  return (
    <Tile
      label={label}
      value={seconds === null ? "Unknown" : seconds === 0 ? "None" : duration(ms)}
      meaning={isLate ? "bad" : ms > allowedMs / 3 ? "warning" : "off"}
      note={seconds === null ? "Could not be read" : `The oldest. Alert after ${duration(allowedMs)}`}
      href={href}
      level={ms / allowedMs}
    />
  );
}

type Queues = NonNullable<HealthAnswer["checks"]>["queues"];

function Queues({ queues, isLate }: { queues: Queues; isLate: boolean }) {
  const all = Object.entries(queues);
  const isUnread = all.some(([, { backlog }]) => backlog === null);
  const total = all.reduce((sum, [, { backlog }]) => sum + (backlog ?? 0), 0);
  return (
    <Tile
      label="Backlog of queues"
      value={isUnread && total === 0 ? "Unknown" : `${number(total)}${isUnread ? "+" : ""}`}
      meaning={isLate ? "bad" : "off"}
      note={all.map(([name, { backlog }]) => (
        <span class="queue">
          {sentence(name)} <b>{backlog === null ? "–" : number(backlog)}</b>
        </span>
      ))}
      href={queues.files.backlog ? to.reports() : to.deliveries({ status: "pending" })}
    />
  );
}
