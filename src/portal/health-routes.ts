/**
 * `GET /health`: whether anything is late, as of the watch's last reading. Anybody gets the status and the names of the late parts;
 * clients that act for every owner also get the numbers.
 */
import { Hono } from "hono";
import { createMiddleware } from "hono/factory";
import * as z from "zod";
import type { Bindings } from "../bindings.ts";
import { unbounded } from "../bounded.ts";
import { answerOf, once } from "../contract/answer.ts";
import { contract } from "../contract/contract.ts";
import { EXAMPLE, like } from "../contract/examples.ts";
import { moment } from "../contract/fields.ts";
import type { AppEnv } from "../http/context.ts";
import { iso } from "../http/iso.ts";
import { logError } from "../log.ts";
import { WATCH_NAME } from "../raised-conditions.ts";
import { type Health, LATE } from "../watch/health-report.ts";
import { hasPortalCredentials, portalAuth } from "./client-auth.ts";
import { actsForEverybody } from "./owner.ts";

/** An isolate asks the watch at most once per this time, so that polling costs nothing. */
const CACHED_MS = 5_000;
const RETRY_AFTER_S = 60;

const seconds = (example: number) => like(z.int().nonnegative(), example);
const late = (example: Health["late"]) =>
  like(
    z.array(z.enum(LATE)),
    example,
    "`watch`: the check itself does not answer. `cron`: silent for over five minutes. `files`: a report unsent for over 15 minutes. `deliveries`: one overdue for over five minutes, of a webhook that is neither paused, paced nor busy. `queues`: a message older than five minutes. `dead_letters`: some within the hour. `stuck_files`: a file deferred for over an hour. A part that could not be read counts as late.",
  );

const queue = () => z.strictObject({ backlog: like(z.int().nonnegative().nullable(), 0) });

const checks = once(() =>
  z
    .strictObject({
      cron: z.strictObject({ last_run_at: moment(EXAMPLE.at).nullable() }),
      files: z.strictObject({ oldest_waiting_seconds: seconds(0) }),
      deliveries: z.strictObject({ oldest_overdue_seconds: seconds(0).nullable() }),
      queues: z.strictObject({
        files: queue(),
        deliveries: queue(),
        deliveries_slow: queue(),
        deliveries_new: queue(),
      }),
      dead_letters: like(z.int().nonnegative(), 0, "Messages within the last hour."),
      stuck_files: like(
        z.int().nonnegative().nullable(),
        2,
        "Files that were deferred or that failed, at most 10 000. Failed ones never make the gateway late.",
      ),
    })
    .meta({ description: "Only with portal credentials that act for every owner. Null: could not be read." }),
);

const shown = (status: "ok" | "degraded", lateExample: Health["late"]) =>
  z.strictObject({ status: z.literal(status), late: late(lateExample), checks: checks().optional() });

export type HealthAnswer = z.infer<ReturnType<typeof shown>>;

const getHealth = contract({}, () => ({
  id: "getHealth",
  tag: "Service",
  summary: "Check the gateway's health",
  description:
    "Whether anything is late, as of the last minute: 200, or 503 with the names of the late parts. Needs no credentials; with portal credentials that act for every owner, `checks` has the numbers.",
  access: "anybody",
  answers: {
    200: answerOf("Nothing is late.", shown("ok", [])),
    503: answerOf("Something is late.", shown("degraded", ["cron"]), { sometimes: ["Retry-After"] }),
  },
  failures: [{ kind: "portal_credentials_unknown" }],
}));

const authIfAsked = createMiddleware<AppEnv>(async (c, next) =>
  hasPortalCredentials(c) ? portalAuth(c, next) : next(),
);

export const health = new Hono<AppEnv>().get("/health", getHealth, authIfAsked, async (c) => {
  const found = await cachedHealth(c.env, Date.now());
  const client = c.get("client") as AppEnv["Variables"]["client"] | undefined;
  const isLate = found.late.length > 0;
  const body = {
    status: isLate ? "degraded" : "ok",
    late: found.late,
    ...(client !== undefined &&
      actsForEverybody(client) &&
      found.checks !== null && { checks: presentChecks(found.checks) }),
  };
  return c.json(body, isLate ? 503 : 200, isLate ? { "Retry-After": String(RETRY_AFTER_S) } : {});
});

function presentChecks(found: Health["checks"]): z.infer<ReturnType<typeof checks>> {
  return { ...found, cron: { last_run_at: iso(found.cron.last_run_at) } };
}

/** The watch's answer. `checks` is null while it does not answer. */
interface Found {
  late: Health["late"];
  checks: Health["checks"] | null;
}

const cache = new WeakMap<object, { at: number; found: Found }>();

/** Never rejects: a watch that does not answer is late. */
async function cachedHealth(env: Bindings, now: number): Promise<Found> {
  const cached = cache.get(unbounded(env));
  if (cached !== undefined && Math.abs(now - cached.at) < CACHED_MS) return cached.found;
  const found = await askWatch(env);
  cache.set(unbounded(env), { at: now, found });
  return found;
}

async function askWatch(env: Bindings): Promise<Found> {
  try {
    const { late, checks } = await env.WATCH.getByName(WATCH_NAME).health();
    return { late, checks };
  } catch (error) {
    logError("failed to ask the watch", {}, error);
    return { late: ["watch"], checks: null };
  }
}
