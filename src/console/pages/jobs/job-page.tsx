/**
 * One job, or one replay of a webhook (`?webhook=`): how far it has come, and how to cancel it. The address is all that is needed to come
 * back to it.
 */
import { Hono } from "hono";
import type { ShownJob } from "../../../portal/jobs/job-contract.ts";
import type { ShownReplay } from "../../../portal/webhooks/replay-contract.ts";
import type { RefusedCall } from "../../api.ts";
import type { ConsoleContext, ConsoleEnv } from "../../console-host.ts";
import { formOf } from "../../form.ts";
import { noSuch } from "../../not-found.tsx";
import { page, statusOfRefused } from "../../page.tsx";
import { withScope } from "../../page-scope.ts";
import { Heading } from "../../parts/panels.tsx";
import { Failed } from "../../parts/states.tsx";
import { to } from "../../paths.ts";
import { showJob } from "./job-progress.tsx";
import { showReplay } from "./replay-progress.tsx";

export const jobPage = new Hono<ConsoleEnv>()
  .get("/console/jobs/:job_id", (c) => show(c, null))
  .post("/console/jobs/:job_id", async (c) => {
    const { do: act } = await formOf(c);
    const { id, webhook, path } = placeOf(c);
    if (act === "cancel") {
      const cancelled = await c.get("api").send("DELETE", path);
      if (!cancelled.ok) return show(c, cancelled);
    }
    const at = to.job(id, { webhook, done: act === "cancel" && "cancelled" });
    return c.redirect(withScope(at, c.get("scope")), 303);
  });

interface Place {
  id: string;
  /** The webhook that is replayed; null for a job. */
  webhook: string | null;
  /** Of the API. */
  path: string;
}

function placeOf(c: ConsoleContext): Place {
  const id = c.req.param("job_id") ?? "";
  const webhook = c.req.query("webhook") || null;
  const [job, of] = [encodeURIComponent(id), encodeURIComponent(webhook ?? "")];
  return { id, webhook, path: webhook === null ? `/jobs/${job}` : `/webhooks/${of}/replays/${job}` };
}

/** `refused`: why it could not be cancelled. */
async function show(c: ConsoleContext, refused: RefusedCall | null): Promise<Response> {
  const { webhook, path } = placeOf(c);
  const found = await c.get("api").get<{ job: ShownJob } | { replay: ShownReplay }>(path);
  if (found.ok)
    return "job" in found.body
      ? showJob(c, found.body.job, refused)
      : showReplay(c, found.body.replay, refused);
  if (found.status === 404)
    return noSuch(c, {
      noun: webhook === null ? "job" : "replay",
      section: "deliveries",
      list: { href: to.jobs({ tab: webhook === null ? null : "replays" }), label: "All jobs" },
    });
  return page(
    c,
    { title: "Job", section: "deliveries", status: statusOfRefused(found) },
    <>
      <Heading title="Job" />
      <Failed error={found.error} what="The job" />
    </>,
  );
}
