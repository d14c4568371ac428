/** A page of deliveries, as every list of them shows it. */
import type { Child } from "hono/jsx";
import type { ListCount } from "../../../db/list-count.ts";
import type { ShownDelivery } from "../../../portal/webhooks/delivery-contract.ts";
import { usePage } from "../../page-state.ts";
import { StateBadge } from "../../parts/badge.tsx";
import { clearedOf, type Filter, isFiltered } from "../../parts/filters.tsx";
import { LookFurther, NothingMatches } from "../../parts/states.tsx";
import { type Column, Pager, Table } from "../../parts/table.tsx";
import { Maybe, NextAttempt } from "../../parts/values.tsx";
import { to } from "../../paths.ts";
import { errorWords } from "./delivery-words.ts";

export interface DeliveriesBody {
  deliveries: ShownDelivery[];
  next_cursor: string | null;
  count: ListCount | null;
}

type DeliveryColumn = Column<ShownDelivery>;

export const EVENT_TYPE: DeliveryColumn = {
  head: "Event",
  cell: ({ eventType }) => eventType ?? <span class="quiet">No longer stored</span>,
};
export const STATE: DeliveryColumn = { head: "State", cell: ({ status }) => <StateBadge state={status} /> };
export const RESULT: DeliveryColumn = {
  head: "Result",
  cell: ({ responseCode, lastError }) =>
    lastError === null ? (
      <Maybe value={responseCode && `HTTP ${responseCode}`} />
    ) : (
      <span>{errorWords(lastError)}</span>
    ),
};
export const ATTEMPTS: DeliveryColumn = {
  head: "Attempts",
  numeric: true,
  wide: true,
  cell: ({ attempts }) => attempts,
};
export const NEXT_ATTEMPT: DeliveryColumn = {
  head: "Next attempt",
  wide: true,
  cell: ({ nextAttemptAt }) => <NextAttempt at={nextAttemptAt} />,
};

interface DeliveryTableProps {
  body: DeliveriesBody;
  filters: readonly Filter[];
  columns: readonly DeliveryColumn[];
  /** Shown where there is none at all. */
  children: Child;
}

export function DeliveryTable({ body, filters, columns, children }: DeliveryTableProps) {
  const { url } = usePage();
  const { deliveries, next_cursor: cursor, count } = body;
  if (deliveries.length === 0) {
    if (cursor !== null) return <LookFurther what="deliveries" cursor={cursor} />;
    if (isFiltered(url, filters)) return <NothingMatches clear={clearedOf(url, filters)} what="deliveries" />;
    return <>{children}</>;
  }
  return (
    <>
      <Table
        caption="Deliveries, the newest event first"
        columns={columns}
        rows={deliveries}
        href={({ id }) => to.delivery(id)}
        keyOf={({ id }) => id}
      />
      <Pager
        nextCursor={cursor}
        count={count === null ? undefined : String(count)}
        what={count === 1 ? "delivery" : "deliveries"}
        shown={deliveries.length}
      />
    </>
  );
}
