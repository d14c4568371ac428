/**
 * The production gate under observation: its alarms follow the set clock, its object dies at random, and it records when a file
 * is claimed while it is leased.
 */

import type { Bindings } from "../../../../src/bindings.ts";
import { ConnectionGate as Production } from "../../../../src/gate/connection-gate.ts";
import { FILE_LEASE_MS } from "../../../../src/gate/file-lifecycle.ts";
import type {
  Admission,
  Admitted,
  Claim,
  Outcome,
  ProgressReport,
  Replayed,
  Reported,
  Settled,
} from "../../../../src/gate/protocol.ts";
import { realAt } from "../clock.ts";
import type { InboxReport } from "../orders.ts";
import { breaking } from "./bindings.ts";
import { inboxOf, type KeptPage, keptPage } from "./inspection.ts";
import { count, pause, random, strikes, suffering } from "./suffering.ts";

const ALARM = "faults:alarm";
const VIOLATION = "faults:handed-out-twice:";
const LONGEST_LAST_BREATH_MS = 20;
/** The gate reads the clock a moment later than this class. */
const CLOCK_GRAIN_MS = 1_000;

export class ConnectionGate extends Production {
  /**
   * The lease of each file, tracked independently of the gate, and lost with the object as the gate's leases are. Every method
   * that releases a file must be observed.
   */
  readonly #held = new Map<string, { token: string; until: number }>();

  constructor(ctx: DurableObjectState, env: Bindings) {
    super(onSetClock(ctx), breaking(env));
  }

  override admit(admission: Admission): Admitted {
    return this.#mortal(super.admit(admission));
  }

  override commit(fileId: string): boolean {
    return this.#mortal(super.commit(fileId));
  }

  override claim(fileIds: string[]): Claim {
    const now = Date.now();
    const claim = super.claim(fileIds);
    for (const { fileId, token } of claim.files) {
      const held = this.#held.get(fileId);
      if (held !== undefined && now < held.until) this.ctx.storage.kv.put(VIOLATION + fileId, now);
      this.#held.set(fileId, { token, until: now + FILE_LEASE_MS - CLOCK_GRAIN_MS });
    }
    return this.#mortal(claim);
  }

  override settle(fileId: string, token: string, outcome: Outcome, listened: boolean): Settled {
    const settled = super.settle(fileId, token, outcome, listened);
    if (settled.applied || this.#held.get(fileId)?.token === token) this.#held.delete(fileId);
    return this.#mortal(settled);
  }

  override postpone(claimed: { fileId: string; token: string }[], retryAfterMs: number): void {
    super.postpone(claimed, retryAfterMs);
    for (const { fileId, token } of claimed)
      if (this.#held.get(fileId)?.token === token) this.#held.delete(fileId);
    this.#mortal(undefined);
  }

  override report(fileId: string, report: ProgressReport, listened: boolean): Reported {
    this.#held.delete(fileId);
    return this.#mortal(super.report(fileId, report, listened));
  }

  override replay(fileId: string): Replayed {
    this.#held.delete(fileId);
    return super.replay(fileId);
  }

  override async alarm(): Promise<void> {
    this.ctx.storage.kv.delete(ALARM);
    const thrown = strikes("alarm");
    const before = thrown && random() < 0.5;
    if (!before) await super.alarm();
    if (thrown) throw new Error("the alarm failed");
  }

  /** Reschedules the alarm after the clock was set. */
  retime(): void {
    const at = this.ctx.storage.kv.get<number>(ALARM);
    if (at !== undefined) this.ctx.waitUntil(this.ctx.storage.setAlarm(at));
  }

  inspect(): InboxReport {
    const handedOutTwice = [...this.ctx.storage.kv.list({ prefix: VIOLATION })].map(([key]) =>
      key.slice(VIOLATION.length),
    );
    return { ...inboxOf(this.ctx.storage.sql), now: Date.now(), handedOutTwice };
  }

  /** See {@link keptPage}. */
  kept(after: string, limit: number): KeptPage {
    return keptPage(this.ctx.storage.sql, after, limit);
  }

  /** Returns the result, unless the object dies: before its writes are on disk, or just after. */
  #mortal<T>(answer: T): T {
    if (!strikes("abort")) return answer;
    if (random() < 0.5) this.ctx.abort("the object died before its answer");
    count("abort, with answers under way");
    void pause(random() * LONGEST_LAST_BREATH_MS).then(() => this.ctx.abort("the object died"));
    return answer;
  }
}

/** The platform's alarms follow real time, the gate's times follow the set clock. */
function onSetClock(ctx: DurableObjectState): DurableObjectState {
  const { storage } = ctx;
  const setAlarm = storage.setAlarm.bind(storage);
  const getAlarm = storage.getAlarm.bind(storage);
  storage.setAlarm = async (at: number | Date) => {
    const shown = Number(at);
    storage.kv.put(ALARM, shown);
    await setAlarm(realAt(suffering.orders.clock, shown));
  };
  storage.getAlarm = async () =>
    (await getAlarm()) === null ? null : (storage.kv.get<number>(ALARM) ?? null);
  return ctx;
}
