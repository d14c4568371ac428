/** The numbers about one owner's part that are not counted by the hour. */
import { number } from "../../parts/values.tsx";
import { to } from "../../paths.ts";
import type { OwnFiles, Readings } from "./now-readings.ts";
import { Tile } from "./tile.tsx";

export function OwnerTiles({ files, failing, alerts }: Readings) {
  const read = files.flatMap((each) => (each.ok ? [each.body] : []));
  const stuck = read.length < files.length ? null : countOf(read);
  return (
    <>
      <Tile
        label="Stuck reports"
        value={stuck ?? "Unknown"}
        meaning={stuck === "0" ? "off" : "warning"}
        note="They wait or have failed"
        href={to.reports()}
      />
      <Tile
        label="Endpoints that fail"
        value={failing.ok ? String(failing.body.count ?? 0) : "Unknown"}
        meaning={failing.ok && failing.body.count === 0 ? "off" : "warning"}
        note="Retried until they answer"
        href={to.webhooks()}
      />
      <Tile
        label="Open alerts"
        value={
          alerts.ok ? `${number(alerts.body.alerts.length)}${alerts.body.next_cursor ? "+" : ""}` : "Unknown"
        }
        meaning={alerts.ok && alerts.body.alerts.length === 0 ? "off" : "bad"}
        note="Each resolves by itself"
        href={`${to.now()}#alerts`}
      />
    </>
  );
}

/** Counts that end in a plus stand for at least as many. */
export function countOf(lists: readonly Pick<OwnFiles, "count">[]): string {
  const isLeast = lists.some(({ count }) => typeof count === "string");
  const sum = lists.reduce((total, { count }) => total + Number.parseInt(String(count ?? 0), 10), 0);
  return `${number(sum)}${isLeast ? "+" : ""}`;
}
