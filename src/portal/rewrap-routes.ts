/** `POST /vault/rewrap`: one step of rewrapping all data keys. Only for the portal itself; other clients get 404. */
import { Hono } from "hono";
import * as z from "zod";
import { answerOf, once } from "../contract/answer.ts";
import { like } from "../contract/examples.ts";
import { nextCursor, success } from "../contract/fields.ts";
import type { AppEnv } from "../http/context.ts";
import { encodeCursor, pageFields } from "../http/page.ts";
import { position, rewrapStep } from "../maintenance/rewrap.ts";
import { actionRow } from "./audit-row.ts";
import { portalContracts } from "./portal-contract.ts";
import { forEveryOwner } from "./scope.ts";

const LIST = "vault";

/** The data keys per step: each takes a call to its gate. */
const MAX_KEYS = 100;

const rewrapBody = z.strictObject({
  limit: z.int().min(1).max(MAX_KEYS).default(MAX_KEYS),
  cursor: pageFields(LIST, position).cursor,
});

const count = (example: number) => like(z.int().nonnegative(), example);

const step = once(() =>
  z.strictObject({
    success: success(),
    ring_key: like(z.string(), "v2", "The ring's first key, which wraps data keys."),
    examined: count(40).meta({ description: "Data keys that the step looked at." }),
    rewrapped: count(12).meta({ description: "Those of them that another key of the ring had wrapped." }),
    failed: count(0).meta({ description: "Data keys that no key of the ring unwraps." }),
    untold: count(0).meta({
      description: "Gates that could not be notified now; they are notified within a minute.",
    }),
    remaining: count(0).meta({ description: "Data keys that are still to be examined." }),
    done: like(z.boolean(), true),
    next_cursor: nextCursor(),
  }),
);
export type ShownRewrapStep = z.infer<ReturnType<typeof step>>;

const rewrapKeys = portalContracts("Operations")({ body: rewrapBody }, () => ({
  id: "rewrapDataKeys",
  summary: "Rewrap data keys",
  description:
    "Performs one step of rewrapping all data keys under the first key of the ring. Send `next_cursor` as `cursor` until `done`; then the other keys can be removed from the ring. Safe to repeat and to restart. Only for a client that is bound to no owner.",
  examples: { first: { summary: "The first step", value: { limit: 50 } } },
  answers: {
    200: answerOf("What the step did, and what remains.", step()),
  },
  failures: [{ kind: "endpoint_not_found" }],
}));

export const vault = new Hono<AppEnv>().post("/vault/rewrap", forEveryOwner, rewrapKeys, async (c) => {
  const { limit, cursor } = c.req.valid("json");
  const { keyRing } = c.get("settings");
  const rewrapped = {
    kind: "vault",
    what: "rewrapped",
    subjectId: keyRing.first,
    owner: null,
    after: null,
  } as const;
  const { next, ...progress } = await rewrapStep(cursor ?? null, limit, keyRing, c.env, (now) =>
    actionRow(c, { at: now, ...rewrapped }),
  );
  return c.json({
    success: true,
    ring_key: keyRing.first,
    ...progress,
    done: next === null,
    next_cursor: next && encodeCursor(LIST, next),
  });
});
