/** The counts of connections over time, as pages show them. */
import type { MetricsAnswer } from "../../../portal/metrics/metric-contract.ts";
import type { Api, ApiResult } from "../../api.ts";

/** Counts. */
export type Metrics = MetricsAnswer<number>;

const HOUR_MS = 3_600_000;
const HOURS = 24;

/** What the list shows of one connection: 24 hours, oldest first. */
export interface DayOfHours {
  accepted: number[];
  refused: number[];
}

/** The hours of a list's connections, by their ids: two calls for the whole page. */
export async function lastDayOf(
  api: Api,
  ids: readonly string[],
  now: number,
): Promise<{ accepted: ApiResult<Metrics>; refused: ApiResult<Metrics>; of(id: string): DayOfHours }> {
  const first = now - (now % HOUR_MS) - (HOURS - 1) * HOUR_MS;
  const query = {
    connection_ids: ids.join(","),
    by: "connection",
    granularity: "hour",
    since: new Date(first).toISOString(),
    limit: 100,
  };
  const [accepted, refused] = await Promise.all([
    api.get<Metrics>("/metrics", { ...query, measure: "accepted" }),
    api.get<Metrics>("/metrics", { ...query, measure: "refused" }),
  ]);
  const hoursOf = (metrics: ApiResult<Metrics>, id: string) => {
    const hours = new Array<number>(HOURS).fill(0);
    const series = metrics.ok ? metrics.body.series.find(({ key }) => key.connection_id === id) : undefined;
    for (const { at, value } of series?.points ?? []) {
      const hour = (Date.parse(at) - first) / HOUR_MS;
      if (hour >= 0 && hour < HOURS) hours[hour] = value;
    }
    return hours;
  };
  return {
    accepted,
    refused,
    of: (id) => ({ accepted: hoursOf(accepted, id), refused: hoursOf(refused, id) }),
  };
}
