/**
 * The Durable Object that watches the gateway: a second clock beside the cron, whose alarm rings each minute. It reads the queues and D1.
 * Gates, consumers and the cron report what it cannot read. It answers for the gateway's health and alerts people.
 */
import { DurableObject } from "cloudflare:workers";
import type { Bindings } from "../bindings.ts";
import { boundedForBackground } from "../bounded.ts";
import { readSettings } from "../env.ts";
import { migrate } from "../gate/migrations.ts";
import { logError } from "../log.ts";
import type { ConditionKind, RaisedCondition } from "../raised-conditions.ts";
import { type Alert, type AlertFilter, AlertStore, acknowledgementCounts } from "./alert-store.ts";
import { conditionsOf } from "./conditions.ts";
import { type Health, healthOf, type Observations, READING_STALE_MS } from "./health-report.ts";
import { MAIL_INTERVAL_MS, mailAlerts } from "./mail-alerts.ts";
import { postAlerts } from "./post-alerts.ts";
import { read, readForAlerts } from "./readings.ts";
import { hasOperatorsWebhook, nameOwners, reconcile } from "./reconcile.ts";
import { WATCH_MIGRATIONS } from "./watch-migrations.ts";
import { WatchStore } from "./watch-store.ts";

const MINUTE_MS = 60_000;
/** An alarm that is this late has been dropped: the platform gives up on an alarm after six failures. */
const DROPPED_ALARM_MS = 60_000;
/** An alarm that rings this early was set before the clock was set back. The next one could ring at once too, so this one waits first. */
const EARLY_ALARM_MS = 30_000;

/** No mail or post starts later in a run, so that a slow service does not delay the next check by minutes. */
const NOTIFYING_MS = 20_000;

/** The class name is stored: a renamed class would lose its object. */
export class GatewayWatch extends DurableObject<Bindings> {
  readonly #store: WatchStore;
  readonly #alerts: AlertStore;
  readonly #bindings: Bindings;
  #alarmAt: number | null = null;
  /** The run of {@link GatewayWatch.#check} that is under way. */
  #checking: Promise<void> | null = null;

  constructor(ctx: DurableObjectState, env: Bindings) {
    super(ctx, env);
    migrate(ctx.storage, WATCH_MIGRATIONS);
    this.#bindings = boundedForBackground(env);
    this.#store = new WatchStore(ctx.storage.sql);
    this.#alerts = new AlertStore(ctx.storage.sql);
    if (this.#store.mark("awake_since") === null) this.#store.setMark("awake_since", Date.now());
    ctx.blockConcurrencyWhile(async () => {
      this.#alarmAt = await ctx.storage.getAlarm();
    });
  }

  /** The minute cron has run. */
  cronRan(): void {
    this.#store.setMark("cron_ran_at", Date.now());
    this.#rearm();
  }

  /** See src/raised-conditions.ts. */
  raise(condition: RaisedCondition): void {
    this.#store.raise(condition, Date.now());
    this.#rearm();
  }

  /** A raised condition has ended. */
  clear(kind: ConditionKind, subject: string): void {
    this.#store.clear(kind, subject);
    this.#rearm();
  }

  /** As of the last minute. Only the very first call reads by itself. */
  async health(): Promise<Health> {
    this.#rearm();
    if (this.#store.reading() === null) await this.#check();
    return healthOf(this.#observe(), Date.now());
  }

  /** Newest first. `before` is the id of the last alert of the previous page. */
  listAlerts(filter: AlertFilter, before: string | null, limit: number): Alert[] {
    this.#rearm();
    return this.#alerts.list(filter, before, limit);
  }

  findAlert(id: string): Alert | null {
    this.#rearm();
    return this.#alerts.find(id);
  }

  /** Returns the alert; null if there is none. */
  acknowledge(id: string, by: string): Alert | null {
    const alert = this.findAlert(id);
    if (alert === null || !acknowledgementCounts(by, alert)) return alert;
    this.#alerts.acknowledge(id, by, Date.now());
    return this.#alerts.find(id);
  }

  override async alarm(): Promise<void> {
    const at = this.#alarmAt;
    this.#alarmAt = null;
    try {
      if (at !== null && at - Date.now() > EARLY_ALARM_MS) await scheduler.wait(EARLY_ALARM_MS);
      await this.#check();
      await this.#notify();
    } catch (error) {
      logError("failed to check the gateway", {}, error);
    } finally {
      this.#rearm();
    }
  }

  #check(): Promise<void> {
    this.#checking ??= this.#checkOnce().finally(() => {
      this.#checking = null;
    });
    return this.#checking;
  }

  async #checkOnce(): Promise<void> {
    const [store, alerts, env] = [this.#store, this.#alerts, this.#bindings];
    const startedAt = Date.now();
    const lastAt = store.reading()?.at ?? 0;
    // The watch has not been running: it may have missed runs of the cron.
    if (startedAt - lastAt > READING_STALE_MS) store.setMark("awake_since", startedAt);
    const webhooks = alerts.open().flatMap(({ subject: { kind, id } }) => (kind === "webhook" ? [id] : []));
    const [reading, forAlerts] = await Promise.all([
      read(env, startedAt),
      readForAlerts(env, [...new Set(webhooks)], startedAt),
    ]);
    store.setReading(reading);
    const observed = this.#observe();
    const now = Date.now();
    const evidence = { observed, raised: store.allRaised(), read: forAlerts, open: alerts.open() };
    reconcile(alerts, conditionsOf(evidence, now), { posts: hasOperatorsWebhook(readSettings(env)) }, now);
    await nameOwners(alerts, env);
  }

  async #notify(): Promise<void> {
    const [env, alerts] = [this.#bindings, this.#alerts];
    const settings = readSettings(env);
    const now = Date.now();
    const run = { now, startUntil: now + NOTIFYING_MS };
    await Promise.all([mailAlerts(alerts, env, settings, run), postAlerts(alerts, settings, run)]);
    const dropped = alerts.deleteOld(now, now - MAIL_INTERVAL_MS);
    if (dropped > 0) logError("dropped notifications of alerts that could not be sent", { dropped });
  }

  #observe(): Observations {
    const store = this.#store;
    const now = Date.now();
    store.expire(now);
    const deadLetters = store.raised("dead_letters").map(({ facts }) => Number(facts.messages ?? 1));
    return {
      reading: store.reading(),
      cronRanAt: store.mark("cron_ran_at"),
      awakeSince: store.mark("awake_since") ?? now,
      oldestWaitingAt: store.oldestWaitingAt(),
      deadLetters: deadLetters.reduce((sum, n) => sum + n, 0),
    };
  }

  /** Sets the alarm for the next minute unless it is set. Every call does: the platform drops an alarm that fails repeatedly. */
  #rearm(): void {
    const now = Date.now();
    if (this.#alarmAt !== null && this.#alarmAt > now - DROPPED_ALARM_MS && this.#alarmAt <= now + MINUTE_MS)
      return;
    this.#alarmAt = now + MINUTE_MS;
    this.ctx.waitUntil(this.ctx.storage.setAlarm(this.#alarmAt));
  }
}
