/** What needs somebody now: for staff the whole gateway, for everybody else their owner's part. */
import { Hono } from "hono";
import type { RefusedCall } from "../../api.ts";
import type { ConsoleContext, ConsoleEnv } from "../../console-host.ts";
import { formOf } from "../../form.ts";
import { page, statusOfRefused } from "../../page.tsx";
import { usePage } from "../../page-state.ts";
import { StateBadge } from "../../parts/badge.tsx";
import { Heading, Live, Panel } from "../../parts/panels.tsx";
import { Done, Failed, Refused } from "../../parts/states.tsx";
import { Instant } from "../../parts/values.tsx";
import { changed, to } from "../../paths.ts";
import { Alerts } from "./alerts.tsx";
import { Gateway, Late } from "./gateway.tsx";
import { GatewayTiles } from "./gateway-tiles.tsx";
import { Failing, Stuck } from "./lists.tsx";
import { ErrorBudgetTile, FreshnessTile, RefusedShareTile } from "./metric-tiles.tsx";
import { type Readings, readNow } from "./now-readings.ts";
import { OwnerTiles } from "./owner-tiles.tsx";

const REFRESHED_S = 15;

export const now = new Hono<ConsoleEnv>()
  .get("/console", (c) => show(c, null))
  .post("/console", async (c) => {
    const { alert = "" } = await formOf(c);
    const acknowledged = await c.get("api").send("POST", `/alerts/${encodeURIComponent(alert)}/acknowledge`);
    if (!acknowledged.ok) return show(c, acknowledged);
    return c.redirect(changed(new URL(c.req.url), { done: "acknowledged" }), 303);
  });

async function show(c: ConsoleContext, refused: RefusedCall | null): Promise<Response> {
  const readings = await readNow(c);
  const isDone = refused === null && new URL(c.req.url).searchParams.get("done") === "acknowledged";
  return page(
    c,
    { title: "Now", section: "now", status: refused === null ? 200 : statusOfRefused(refused) },
    <>
      {isDone && <Done>Acknowledged: others see that you look after it.</Done>}
      {refused !== null && <Refused error={refused.error} what="The alert was not acknowledged." />}
      <Live id="now" seconds={REFRESHED_S} quiet={true}>
        <Now readings={readings} />
      </Live>
    </>,
  );
}

function Now({ readings }: { readings: Readings }) {
  const { now, session, scope } = usePage();
  const { health, alerts, refusedShare, freshness, errorBudget } = readings;
  const isStaff = session.owner === null;
  return (
    <div class="stack wide">
      <Heading
        title="Now"
        aside={health.ok && <StateBadge state={health.body.status} />}
        actions={
          <span class="updated">
            Updated <Instant at={now} />
            <span class="when-fresh">, again every {REFRESHED_S} s</span>
            <b class="when-stale">. Could not be refreshed since</b>
          </span>
        }
      />
      {isStaff && scope.owner !== null && (
        <p class="quiet">
          Alerts, reports and endpoints of {scope.owner.id} only. <a href={to.now()}>Show all owners</a>
        </p>
      )}
      {health.ok ? <Late late={health.body.late} /> : <Failed error={health.error} what="Health" />}
      <div class="tiles">
        {isStaff ? health.ok && <GatewayTiles health={health.body} /> : <OwnerTiles {...readings} />}
        <RefusedShareTile read={refusedShare} />
        <FreshnessTile read={freshness} />
        <ErrorBudgetTile read={errorBudget} />
      </div>
      {!alerts.ok && (
        <Panel title="Open alerts" id="alerts">
          <Failed error={alerts.error} what="The list of alerts" />
        </Panel>
      )}
      {alerts.ok && alerts.body.alerts.length > 0 && (
        <Alerts alerts={alerts.body.alerts} hasMore={alerts.body.next_cursor !== null} />
      )}
      <Calm {...readings} />
      <div class="columns">
        <Stuck {...readings} />
        <Failing {...readings} />
      </div>
      {isStaff && health.ok && <Gateway health={health.body} />}
    </div>
  );
}

/** What is as it should be, in one sentence. */
function Calm({ alerts, stuck, files, failing }: Readings) {
  const isNone = [
    { words: "no open alerts", holds: alerts.ok && alerts.body.alerts.length === 0 },
    {
      words: "no stuck files",
      holds:
        stuck === null
          ? files.every((each) => each.ok && each.body.count === 0)
          : stuck.ok && stuck.body.count === 0,
    },
    { words: "no endpoint that fails", holds: failing.ok && failing.body.count === 0 },
  ];
  const calm = isNone.filter(({ holds }) => holds).map(({ words }) => words);
  if (calm.length === 0) return null;
  const isAll = calm.length === isNone.length;
  return (
    <p
      class={isAll ? "calm all" : "calm"}
      id={alerts.ok && alerts.body.alerts.length === 0 ? "alerts" : undefined}
    >
      <span>
        {isAll ? "Nothing needs you: " : "Otherwise "}
        {new Intl.ListFormat("en").format(calm)}.
      </span>
    </p>
  );
}
