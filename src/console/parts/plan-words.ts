/** What each plan allows, in words. */
import { PLAN_LIMITS, PLANS, type Plan } from "../../model.ts";
import { number } from "../format.ts";
import { sentence } from "./badge.tsx";

/** `Sandbox: 100 reports a minute, 1,000 an hour`. */
export const PLAN_WORDS = Object.fromEntries(
  PLANS.map((plan) => {
    const { perMinute, perHour } = PLAN_LIMITS[plan];
    return [plan, `${sentence(plan)}: ${number(perMinute)} reports a minute, ${number(perHour)} an hour`];
  }),
) as Record<Plan, string>;
