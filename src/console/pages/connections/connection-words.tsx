/** Words for the settings of connections. */
import { PLAN_LIMITS, PLANS, type Plan } from "../../../model.ts";
import type { ShownConnection } from "../../../portal/connections/connection-contract.ts";
import { sentence } from "../../parts/badge.tsx";
import { number } from "../../parts/values.tsx";

/** `Sandbox: 100 reports a minute, 1,000 an hour`. */
export const PLAN_WORDS = Object.fromEntries(
  PLANS.map((plan) => {
    const { perMinute, perHour } = PLAN_LIMITS[plan];
    return [plan, `${sentence(plan)}: ${number(perMinute)} reports a minute, ${number(perHour)} an hour`];
  }),
) as Record<Plan, string>;

export const SAME_BODY_WORDS: Record<ShownConnection["same_body"], string> = {
  accept: "Accept it as a report of its own, with a warning",
  deduplicate: "Treat it as a repeat of the first one",
};
