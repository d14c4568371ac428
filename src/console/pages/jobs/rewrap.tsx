/**
 * Rewrapping all data keys with the first key of the ring. The API does it in steps, each as safe to repeat as the whole; how far it has
 * come is in the address, so that a reload, or somebody else with the address, goes on from there.
 */
import { Hono } from "hono";
import * as z from "zod";
import type { ShownRewrapStep } from "../../../portal/rewrap-routes.ts";
import type { RefusedCall } from "../../api.ts";
import type { ConsoleContext, ConsoleEnv } from "../../console-host.ts";
import { noSuch } from "../../not-found.tsx";
import { page, statusOfRefused } from "../../page.tsx";
import { withScope } from "../../page-scope.ts";
import { Badge } from "../../parts/badge.tsx";
import { ButtonLink } from "../../parts/link.tsx";
import { Facts, Heading, Notice, Panel } from "../../parts/panels.tsx";
import { Progress } from "../../parts/progress.tsx";
import { Refused } from "../../parts/states.tsx";
import { number } from "../../parts/values.tsx";
import { changed, to } from "../../paths.ts";

/** Short steps, so that the progress is seen. */
const KEYS_PER_STEP = 50;

const count = z.coerce.number().int().nonnegative().catch(0);
/** What the address says of the steps so far. */
const soFar = z.object({
  cursor: z.string().optional(),
  ring_key: z.string().max(64).optional(),
  examined: count,
  rewrapped: count,
  failed: count,
  untold: count,
  remaining: count,
  /** `yes` while the page goes on by itself, `done` at the end. */
  run: z.enum(["yes", "done"]).optional().catch(undefined),
});
type SoFar = z.infer<typeof soFar>;

export const rewrapPage = new Hono<ConsoleEnv>()
  .get("/console/jobs/rewrap", (c) => show(c, null))
  .post("/console/jobs/rewrap", async (c) => {
    if (c.get("session").owner !== null) return show(c, null);
    const before = soFar.parse(c.req.query());
    const body = { limit: KEYS_PER_STEP, ...(before.cursor && { cursor: before.cursor }) };
    const step = await c.get("api").send<ShownRewrapStep>("POST", "/vault/rewrap", { body, scoped: false });
    if (!step.ok) return show(c, step);
    const { ring_key, remaining, done, next_cursor, ...did } = step.body;
    const after = {
      ring_key,
      examined: before.examined + did.examined,
      rewrapped: before.rewrapped + did.rewrapped,
      failed: before.failed + did.failed,
      untold: before.untold + did.untold,
      remaining,
      cursor: next_cursor,
      run: done ? "done" : "yes",
    };
    return c.redirect(withScope(to.job("rewrap", after), c.get("scope")), 303);
  });

/** `refused`: why the step was not made. */
function show(c: ConsoleContext, refused: RefusedCall | null): Response {
  if (c.get("session").owner !== null)
    return noSuch(c, { noun: "job", section: "deliveries", list: { href: to.jobs(), label: "All jobs" } });
  const url = new URL(c.req.url);
  const state = soFar.parse(c.req.query());
  const goesOn = state.run === "yes" && refused === null;
  return page(
    c,
    {
      title: "Rewrap data keys",
      section: "settings",
      scripts: ["continue.js"],
      status: refused === null ? 200 : statusOfRefused(refused),
    },
    <div class="stack wide-gap" id="rewrap" data-steps>
      <Heading
        title="Rewrap data keys"
        aside={<State state={state} isInterrupted={refused !== null} />}
        actions={<ButtonLink href={to.jobs()}>All jobs</ButtonLink>}
      >
        Every data key is wrapped again with the first key of the ring, so that the others can be removed from
        it. Nothing stops meanwhile, and repeating it is safe.
      </Heading>
      {refused !== null && <Refused error={refused.error} what="The step was not made." />}
      {(state.run !== undefined || state.examined > 0) && <HowFar state={state} />}
      <Next url={url} state={state} goesOn={goesOn} />
    </div>,
  );
}

function State({ state: { run, examined }, isInterrupted }: { state: SoFar; isInterrupted: boolean }) {
  if (run === "done") return <Badge meaning="good">Done</Badge>;
  if (isInterrupted) return <Badge meaning="warning">Interrupted</Badge>;
  if (run === "yes") return <Badge meaning="waiting">Running</Badge>;
  return examined > 0 ? <Badge meaning="off">Paused</Badge> : null;
}

function HowFar({ state }: { state: SoFar }) {
  const { examined, remaining, rewrapped, failed, untold, ring_key } = state;
  const all = examined + remaining;
  return (
    <Panel title="Progress">
      <Progress label="Rewrapping" share={all === 0 ? 1 : examined / all}>
        {`${number(examined)} of ${number(all)} keys examined.`}
      </Progress>
      <Facts
        facts={[
          ["Wrapped with", ring_key === undefined ? null : <code>{ring_key}</code>],
          ["Rewrapped", number(rewrapped)],
          ["Had it already, or erased", number(Math.max(0, examined - rewrapped - failed))],
          ["Could not be opened", number(failed)],
          ["Told within a minute", untold === 0 ? null : number(untold)],
        ]}
      />
      {failed > 0 && (
        <Notice meaning="bad">
          <p>
            No key of the ring opens {number(failed)} of them: a key that wrapped them is missing. Put it back
            after the first one and deploy, before you remove any other.
          </p>
        </Notice>
      )}
    </Panel>
  );
}

function Next({ url, state, goesOn }: { url: URL; state: SoFar; goesOn: boolean }) {
  if (state.run === "done")
    return (
      <Notice meaning={state.failed === 0 ? "good" : "warning"}>
        <p>
          {state.rewrapped === 0 && state.failed === 0
            ? "Every data key is wrapped with the first key. A day after that was first so, the other keys can be removed from the ring."
            : "Run it once more: it is finished when a run rewraps none and opens all."}
        </p>
        <p>
          <ButtonLink href={to.job("rewrap")}>Run it once more</ButtonLink>
        </p>
      </Notice>
    );
  return (
    <form method="post" action={`${url.pathname}${url.search}`} data-continue={goesOn ? "" : undefined}>
      <p class="buttons">
        {goesOn && <ButtonLink href={changed(url, { run: null })}>Pause</ButtonLink>}
        <button type="submit" class="primary">
          {goesOn ? "Next step" : state.examined > 0 ? "Go on" : "Begin"}
        </button>
      </p>
    </form>
  );
}
