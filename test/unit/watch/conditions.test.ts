import { describe, expect, it } from "vitest";
import { DISABLE_AFTER_MS } from "../../../src/outbound/auto-disable.ts";
import type { Alert } from "../../../src/watch/alert-store.ts";
import { conditionsOf, type Evidence } from "../../../src/watch/conditions.ts";
import { healthOf, type Observations } from "../../../src/watch/health-report.ts";
import type { AlertReading, Reading, WebhookState } from "../../../src/watch/readings.ts";

const MINUTE = 60_000;
const NOW = Date.parse("2026-06-15T12:00:00.000Z");

const queue = { backlog: 0, oldestAt: null };
const reading = (fields: Partial<Reading> = {}): Reading => ({
  at: NOW,
  queues: { files: queue, deliveries: queue, deliveries_slow: queue, deliveries_new: queue },
  database: { oldestDueAt: null, stuckFiles: 0, deferredSince: null },
  ...fields,
});
const observed = (fields: Partial<Observations> = {}): Observations => ({
  reading: reading(),
  cronRanAt: NOW - MINUTE,
  awakeSince: NOW - 60 * MINUTE,
  oldestWaitingAt: null,
  deadLetters: 0,
  ...fields,
});
const read = (fields: Partial<AlertReading> = {}): AlertReading => ({
  troubled: [],
  complete: true,
  asked: [],
  month: {},
  ...fields,
});
const evidence = (fields: Partial<Evidence> = {}): Evidence => ({
  observed: observed(),
  raised: [],
  read: read(),
  open: [],
  ...fields,
});
const kindsOf = (fields: Partial<Evidence>) =>
  conditionsOf(evidence(fields), NOW)
    .holding.map(({ kind }) => kind)
    .sort();

describe("health", () => {
  it.each<[Partial<Observations>, string[]]>([
    [{}, []],
    [{ reading: null }, ["watch", "deliveries", "queues", "stuck_files"]],
    [{ reading: reading({ at: NOW - 5 * MINUTE }) }, []],
    [{ reading: reading({ at: NOW - 5 * MINUTE - 1 }) }, ["watch"]],
    [{ cronRanAt: NOW - 5 * MINUTE }, []],
    [{ cronRanAt: NOW - 5 * MINUTE - 1 }, ["cron"]],
    [{ cronRanAt: null }, ["cron"]],
    [{ cronRanAt: null, awakeSince: NOW - MINUTE }, []],
    [{ cronRanAt: NOW + 60 * MINUTE }, []],
    [{ oldestWaitingAt: NOW - 15 * MINUTE }, []],
    [{ oldestWaitingAt: NOW - 15 * MINUTE - 1 }, ["files"]],
    [{ deadLetters: 1 }, ["dead_letters"]],
    [
      {
        reading: reading({
          database: { oldestDueAt: NOW - 5 * MINUTE, stuckFiles: 9, deferredSince: NOW - 60 * MINUTE },
        }),
      },
      [],
    ],
    [
      {
        reading: reading({
          database: {
            oldestDueAt: NOW - 5 * MINUTE - 1,
            stuckFiles: 9,
            deferredSince: NOW - 60 * MINUTE - 1,
          },
        }),
      },
      ["deliveries", "stuck_files"],
    ],
  ])("of %j is late with %j", (fields, late) => {
    expect(healthOf(observed(fields), NOW).late).toEqual(late);
  });
});

describe("a condition", () => {
  it("holds for none of the kinds in quiet times", () => {
    expect(conditionsOf(evidence(), NOW)).toEqual({ holding: [], uncertain: new Set() });
  });

  it("of what could not be read is uncertain", () => {
    const { uncertain } = conditionsOf(
      evidence({ read: null, observed: observed({ reading: reading({ database: null }) }) }),
      NOW,
    );
    expect([...uncertain].sort()).toEqual([
      "delivery_overdue",
      "error_budget_half",
      "error_budget_spent",
      "webhook_disabled",
      "webhook_half_way",
      "webhook_most_of_the_way",
      "webhook_recovered",
    ]);
  });

  it("of webhooks is uncertain while there are more than were read", () => {
    const { uncertain } = conditionsOf(evidence({ read: read({ complete: false }) }), NOW);
    expect(uncertain.has("webhook_disabled")).toBe(true);
    expect(uncertain.has("error_budget_half")).toBe(false);
  });

  it("needs a thousand requests before the error budget counts", () => {
    const month = (accepted: number, failed: number) => ({ accepted, "refused:INTERNAL_ERROR": failed });
    expect(kindsOf({ read: read({ month: month(998, 1) }) })).toEqual([]);
    expect(kindsOf({ read: read({ month: month(999, 1) }) })).toEqual([
      "error_budget_half",
      "error_budget_spent",
    ]);
    expect(kindsOf({ read: read({ month: month(1_999, 1) }) })).toEqual(["error_budget_half"]);
    expect(kindsOf({ read: read({ month: month(2_000, 1) }) })).toEqual([]);
  });

  it("raised by a subject that is no gate is no alert", () => {
    const row = { kind: "refused_share", subject: "unknown:0", facts: {}, firstAt: NOW } as const;
    expect(kindsOf({ raised: [row] })).toEqual([]);
  });
});

describe("of a webhook", () => {
  const state = (fields: Partial<WebhookState> = {}): WebhookState => ({
    id: "w",
    owner_type: "employer",
    owner_id: "x",
    status: "active",
    disabled_reason: null,
    failing_since: null,
    last_success_at: null,
    ...fields,
  });
  const openAlert = (kind: Alert["kind"], openedAt: number): Alert => ({
    id: "alt_1",
    kind,
    subject: { kind: "webhook", id: "w" },
    owner: { type: "employer", id: "x" },
    facts: {},
    openedAt,
    resolvedAt: null,
    acknowledgedAt: null,
    acknowledgedBy: null,
  });

  it.each<[string, WebhookState, string[]]>([
    ["just failing", state({ failing_since: NOW - 1 }), []],
    ["half-way", state({ failing_since: NOW - DISABLE_AFTER_MS * 0.5 }), ["webhook_half_way"]],
    [
      "close",
      state({ failing_since: NOW - DISABLE_AFTER_MS * 0.8 }),
      ["webhook_half_way", "webhook_most_of_the_way"],
    ],
    ["paused", state({ status: "paused", failing_since: NOW - DISABLE_AFTER_MS }), []],
    ["gone", state({ status: "disabled", disabled_reason: "gone" }), ["webhook_disabled"]],
    ["disabled by a person", state({ status: "disabled", disabled_reason: "requested" }), []],
  ])("%s", (_what, webhook, kinds) => {
    expect(kindsOf({ read: read({ troubled: [webhook] }) })).toEqual(kinds);
    expect(kindsOf({ read: read({ troubled: [webhook], asked: [webhook] }) })).toEqual(kinds);
  });

  it("a success after its alert opened is a recovery, which is shown for an hour", () => {
    const openedAt = NOW - 10 * MINUTE;
    const ask = (fields: Partial<WebhookState>, open: Alert[]) =>
      kindsOf({ read: read({ asked: [state(fields)] }), open });
    const alert = openAlert("webhook_half_way", openedAt);
    expect(ask({ last_success_at: openedAt - 1 }, [alert])).toEqual([]);
    expect(ask({ last_success_at: NOW }, [alert])).toEqual(["webhook_recovered"]);
    expect(ask({ last_success_at: NOW }, [])).toEqual([]);
    const recovered = (minutes: number) => openAlert("webhook_recovered", NOW - minutes * MINUTE);
    expect(ask({ last_success_at: NOW }, [recovered(59)])).toEqual(["webhook_recovered"]);
    expect(ask({ last_success_at: NOW }, [recovered(60)])).toEqual([]);
  });
});
