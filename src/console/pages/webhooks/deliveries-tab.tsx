/** The log of a webhook's deliveries. */
import type { ListCount } from "../../../db/list-count.ts";
import type { ShownDelivery } from "../../../portal/webhooks/delivery-contract.ts";
import type { ApiResult } from "../../api.ts";
import type { ConsoleContext } from "../../console-host.ts";
import { usePage } from "../../page-state.ts";
import { StateBadge } from "../../parts/badge.tsx";
import { clearedOf, type Filter, Filters, instantOf, isFiltered } from "../../parts/filters.tsx";
import { ButtonLink, useChanged } from "../../parts/link.tsx";
import { Live } from "../../parts/panels.tsx";
import { Failed, NothingMatches, NothingYet } from "../../parts/states.tsx";
import { Pager, Table } from "../../parts/table.tsx";
import { Maybe, NextAttempt, Time } from "../../parts/values.tsx";
import { to } from "../../paths.ts";
import { filtersOf } from "../deliveries/delivery-filters.ts";
import { errorWords } from "../deliveries/delivery-words.ts";
import { ownerQuery, type WebhookReading } from "./webhook-reading.ts";

export interface DeliveriesBody {
  deliveries: ShownDelivery[];
  next_cursor: string | null;
  count: ListCount | null;
}

const ROWS = 50;
const REFRESH_S = 5;

export function readDeliveries(
  c: ConsoleContext,
  { webhook }: WebhookReading,
): Promise<ApiResult<DeliveriesBody>> {
  const query = new URL(c.req.url).searchParams;
  return c.get("api").get<DeliveriesBody>("/deliveries", {
    ...ownerQuery(webhook),
    webhook_id: webhook.id,
    status: query.get("status"),
    type: query.get("type"),
    response_code: query.get("response_code"),
    error: query.get("error"),
    since: instantOf(query.get("since")),
    until: instantOf(query.get("until")),
    cursor: query.get("cursor"),
    limit: ROWS,
  });
}

export function DeliveriesTab({
  found,
  reading,
}: {
  found: ApiResult<DeliveriesBody>;
  reading: WebhookReading;
}) {
  const { url } = usePage();
  const filters = filtersOf(null).filter(({ name }) => name !== "webhook_id");
  return (
    <>
      <Filters filters={filters} />
      {found.ok ? (
        <Live id="deliveries" seconds={url.searchParams.has("cursor") ? null : REFRESH_S}>
          <Rows body={found.body} filters={filters} reading={reading} />
        </Live>
      ) : (
        <Failed error={found.error} what="The deliveries" />
      )}
    </>
  );
}

interface RowsProps {
  body: DeliveriesBody;
  filters: readonly Filter[];
  reading: WebhookReading;
}

function Rows({ body: { deliveries, next_cursor, count }, filters, reading }: RowsProps) {
  const { url } = usePage();
  const change = useChanged();
  if (deliveries.length === 0 && next_cursor !== null)
    return (
      <div class="state">
        <p>None of the deliveries that were examined match. There are older ones.</p>
        <ButtonLink href={change({ cursor: next_cursor })}>Look further back</ButtonLink>
      </div>
    );
  if (deliveries.length === 0 && isFiltered(url, filters))
    return <NothingMatches clear={clearedOf(url, filters)} what="deliveries" />;
  if (deliveries.length === 0)
    return (
      <NothingYet what="Nothing was delivered yet. The next event that the webhook asks for appears here within seconds.">
        <ButtonLink href={to.webhook(reading.webhook.id, { tab: "test" })}>Send a test</ButtonLink>
      </NothingYet>
    );
  return (
    <>
      <Table
        caption="Deliveries, the newest event first"
        columns={[
          {
            head: "Event",
            cell: ({ eventType }: ShownDelivery) => eventType ?? <span class="quiet">No longer stored</span>,
          },
          { head: "State", cell: ({ status }: ShownDelivery) => <StateBadge state={status} /> },
          { head: "Result", cell: (delivery: ShownDelivery) => <Result delivery={delivery} /> },
          { head: "Attempts", numeric: true, wide: true, cell: ({ attempts }: ShownDelivery) => attempts },
          { head: "Happened", cell: ({ timestamp }: ShownDelivery) => <Time at={timestamp} /> },
          {
            head: "Next attempt",
            wide: true,
            cell: ({ nextAttemptAt }: ShownDelivery) => <NextAttempt at={nextAttemptAt} />,
          },
        ]}
        rows={deliveries}
        href={({ id }) => to.delivery(id)}
        keyOf={({ id }) => id}
      />
      <Pager
        nextCursor={next_cursor}
        count={count === null ? undefined : String(count)}
        what={count === 1 ? "delivery" : "deliveries"}
        shown={deliveries.length}
      />
    </>
  );
}

function Result({ delivery: { responseCode, lastError } }: { delivery: ShownDelivery }) {
  return lastError === null ? <Maybe value={responseCode} /> : <span>{errorWords(lastError)}</span>;
}
