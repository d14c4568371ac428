/** The goals of the developer guide, as pages show them. */

/** Half of the reports are completed within this time of the sender's timestamp. */
export const FRESHNESS_GOAL_MS = 15 * 60_000;
/** The share of requests at the report endpoints that may be answered 500 or 503 in a month. */
export const ALLOWED_FAILURES = 0.001;
/** After this, a waiting report opens an alert. */
export const REPORT_WAITING_MS = 15 * 60_000;
/** After this, an overdue delivery opens an alert. */
export const DELIVERY_OVERDUE_MS = 5 * 60_000;
