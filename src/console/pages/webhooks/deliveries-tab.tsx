/** The log of a webhook's deliveries. */
import type { ShownDelivery } from "../../../portal/webhooks/delivery-contract.ts";
import type { ApiResult } from "../../api.ts";
import type { ConsoleContext } from "../../console-host.ts";
import { usePage } from "../../page-state.ts";
import { Filters } from "../../parts/filters.tsx";
import { ButtonLink } from "../../parts/link.tsx";
import { Live } from "../../parts/panels.tsx";
import { Failed, NothingYet } from "../../parts/states.tsx";
import type { Column } from "../../parts/table.tsx";
import { Time } from "../../parts/values.tsx";
import { to } from "../../paths.ts";
import { filterQuery, filtersOf } from "../deliveries/delivery-filters.ts";
import {
  ATTEMPTS,
  type DeliveriesBody,
  DeliveryTable,
  EVENT_TYPE,
  NEXT_ATTEMPT,
  RESULT,
  STATE,
} from "../deliveries/delivery-table.tsx";
import { ownerQuery, type WebhookReading } from "./webhook-reading.ts";

const ROWS = 50;
const REFRESH_S = 5;

export function readDeliveries(
  c: ConsoleContext,
  { webhook }: WebhookReading,
): Promise<ApiResult<DeliveriesBody>> {
  const query = new URL(c.req.url).searchParams;
  return c.get("api").get<DeliveriesBody>("/deliveries", {
    ...filterQuery(query),
    ...ownerQuery(webhook),
    webhook_id: webhook.id,
    cursor: query.get("cursor"),
    limit: ROWS,
  });
}

const COLUMNS: readonly Column<ShownDelivery>[] = [
  EVENT_TYPE,
  STATE,
  RESULT,
  ATTEMPTS,
  { head: "Happened", cell: ({ timestamp }) => <Time at={timestamp} /> },
  NEXT_ATTEMPT,
];

export function DeliveriesTab({
  found,
  reading: { webhook },
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
          <DeliveryTable body={found.body} filters={filters} columns={COLUMNS}>
            <NothingYet what="Nothing was delivered yet. The next event that the webhook asks for appears here within seconds.">
              <ButtonLink href={to.webhook(webhook.id, { tab: "test" })}>Send a test</ButtonLink>
            </NothingYet>
          </DeliveryTable>
        </Live>
      ) : (
        <Failed error={found.error} what="The deliveries" />
      )}
    </>
  );
}
