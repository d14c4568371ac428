/** What needs somebody now. */
import { Hono } from "hono";
import type { ConsoleEnv } from "../console-host.ts";
import { page } from "../page.tsx";
import { StateBadge } from "../parts/badge.tsx";
import { Heading, Panel } from "../parts/panels.tsx";
import { Failed } from "../parts/states.tsx";

interface Health {
  status: "ok" | "degraded";
  late: string[];
}

export const now = new Hono<ConsoleEnv>().get("/console", async (c) => {
  const health = await c.get("api").get<Health>("/health");
  return page(
    c,
    { title: "Now", section: "now" },
    <>
      <Heading title="Now" aside={health.ok && <StateBadge state={health.body.status} />} />
      <Panel title="Health">
        {health.ok ? (
          <p>{health.body.late.length === 0 ? "Nothing is late." : health.body.late.join(", ")}</p>
        ) : (
          <Failed error={health.error} what="Health" />
        )}
      </Panel>
    </>,
  );
});
