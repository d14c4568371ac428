/**
 * Spaces the attempts while the files-creator is down for everyone, and ramps up when it is back. One small object for the
 * whole gateway, asked once per consumer batch. It keeps nothing on disk: after a restart the first failures teach it again.
 */
import { DurableObject } from "cloudflare:workers";
import type { Bindings } from "../env.ts";
import { type Course, OPEN_COURSE, observe, permit } from "./circuit-breaker-policy.ts";

export { type Course, OPEN_COURSE, observe, permit } from "./circuit-breaker-policy.ts";

/** The one governor's name. */
export const GOVERNOR_NAME = "files-creator";

export interface Permit {
  granted: number;
  retryAfterMs: number;
  calm: boolean;
}

export class ForwardingGovernor extends DurableObject<Bindings> {
  #course: Course = OPEN_COURSE;

  /** `calm`: nothing has failed lately, so that a success would tell nothing new. */
  permit(wanted: number): Permit {
    const { granted, retryAfterMs, course } = permit(this.#course, wanted, Date.now());
    this.#course = course;
    return { granted, retryAfterMs, calm: course.level === null && course.failures === 0 };
  }

  observe(answered: number, unanswered: number): void {
    this.#course = observe(this.#course, answered, unanswered, Date.now());
  }
}
