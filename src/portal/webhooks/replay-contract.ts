/** The contract of replays: send the events of a time range to a webhook again. */
import * as z from "zod";
import { answer, once, page } from "../../contract/answer.ts";
import { EXAMPLE, like } from "../../contract/examples.ts";
import { countOrLeast, moment, objectId, success, webhookId } from "../../contract/fields.ts";
import type { Failure } from "../../http/failure.ts";
import { pageFields } from "../../http/page.ts";
import { timeParameter } from "../../http/time-parameter.ts";
import { deliveryFilterFields } from "../../outbound/delivery-filter.ts";
import { replayPosition } from "../../outbound/replay.ts";
import { notFound } from "../change.ts";
import { ownerFields } from "../owner.ts";
import { portalContracts } from "../portal-contract.ts";
import { DISABLED, exampleWith } from "./delivery-contract.ts";

/** The name of the list in its cursors. */
export const REPLAY_LIST = "replays";

const replayQuery = z.strictObject({
  ...ownerFields,
  webhook_id: deliveryFilterFields.webhook_id,
  ...pageFields(REPLAY_LIST, replayPosition),
});

/** The range filters by when events were stored. `failed`: never sent, failed or skipped; `all`: also delivered. */
const replayRequest = z.strictObject({
  since: timeParameter,
  until: timeParameter.optional(),
  only: z.enum(["failed", "all"]).default("failed"),
  dry_run: z.boolean().default(false),
});

export const NO_REPLAY: Failure = { kind: "replay_not_found" };

const replay = once(() =>
  z
    .strictObject({
      id: objectId(EXAMPLE.replayId),
      webhookId: webhookId(),
      status: like(
        z.enum(["running", "done", "ended"]),
        "running",
        "`ended` before it was done, by a DELETE, or because the webhook was disabled or deleted.",
      ),
      only: like(z.enum(["failed", "all"]), "failed"),
      since: moment("2026-03-15T00:00:00.000Z"),
      until: moment("2026-03-16T00:00:00.000Z"),
      position: moment("2026-03-15T00:00:00.000Z").meta({
        description: "How far the replay has read the events.",
      }),
      progress: like(z.number(), 0, "From 0 to 1."),
      queued: like(z.int().nonnegative(), 0, "Deliveries queued so far."),
      createdAt: moment(),
      updatedAt: moment(),
    })
    .meta({ id: "Replay" }),
);
export type ShownReplay = z.infer<ReturnType<typeof replay>>;

const contract = portalContracts("Webhooks");

export const replayWebhook = contract({ body: replayRequest }, () => ({
  id: "replayWebhook",
  summary: "Replay a time range",
  description:
    "Sends the events that were stored in the range again, of the types that the webhook subscribes to now: those that were never sent, failed or were skipped, or all of them. Ask for the count first, with `dry_run`. The replay waits while the webhook is paused. Each webhook has at most one running replay, which ends if the webhook is disabled.",
  of: "webhook",
  examples: {
    outage: {
      summary: "After a day's outage of the receiver",
      value: { since: "2026-03-15T00:00:00Z", until: "2026-03-16T00:00:00Z" },
    },
    count: {
      summary: "How many that would be",
      value: { since: "2026-03-15T00:00:00Z", until: "2026-03-16T00:00:00Z", dry_run: true },
    },
  },
  answers: {
    200: answer("The count. Nothing was queued.", {
      dry_run: z.literal(true),
      matched: like(
        countOrLeast(),
        412,
        "How many deliveries a replay would queue now. A number is exact; a text is the least number, such as `1000+`.",
      ),
    }),
    202: answer("The replay has begun.", { success: success(), replay: replay() }),
  },
  failures: [DISABLED, { kind: "replay_running", replayId: EXAMPLE.replayId }],
}));

export const getReplay = contract({}, () => ({
  id: "getReplay",
  summary: "Get a replay's progress",
  description: "Returns how far the replay has read the events, and how many deliveries it has queued.",
  of: "webhook",
  answers: { 200: answer("The replay.", { replay: replay() }) },
  failures: [NO_REPLAY],
}));

export const endReplay = contract({}, () => ({
  id: "endReplay",
  summary: "End a replay",
  description: "What the replay has queued is still sent. A replay that is done stays done. Safe to repeat.",
  of: "webhook",
  answers: {
    200: answer(
      "Ended.",
      { message: z.literal("replay_ended"), replay: replay() },
      { example: { replay: exampleWith(replay(), "ended") } },
    ),
  },
  failures: [NO_REPLAY],
}));

export const listReplays = contract({ query: replayQuery }, () => ({
  id: "listReplays",
  summary: "List an owner's replays",
  description:
    "The replays of all webhooks of an owner, or of one, newest first, for 30 days after their last change.",
  answers: { 200: page("A page of replays.", "replays", replay()) },
  failures: [notFound("webhook")],
}));
