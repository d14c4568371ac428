/** The five meanings that states can have. Each is a shape and a word beside its colour. */
import type { Child } from "hono/jsx";

export type Meaning = "good" | "waiting" | "warning" | "bad" | "off";

const SHAPES: Record<Meaning, string> = { good: "●", waiting: "◐", warning: "▲", bad: "■", off: "○" };

export function Badge({ meaning, children }: { meaning: Meaning; children: Child }) {
  return (
    <span class={`badge ${meaning}`}>
      <span class="shape" aria-hidden="true">
        {SHAPES[meaning]}
      </span>
      {children}
    </span>
  );
}

interface State {
  meaning: Meaning;
  word: string;
}

/** The words and meanings of states that the API answers. A state that is not listed is shown as it is. */
const STATES: Record<string, State> = {
  // Files
  queued: { meaning: "waiting", word: "Queued" },
  processing: { meaning: "waiting", word: "Processing" },
  completed: { meaning: "good", word: "Completed" },
  failed: { meaning: "bad", word: "Failed" },
  // Requests
  accepted: { meaning: "good", word: "Accepted" },
  duplicate: { meaning: "off", word: "Duplicate" },
  refused: { meaning: "bad", word: "Refused" },
  // Connections, keys and webhooks
  active: { meaning: "good", word: "Active" },
  inactive: { meaning: "off", word: "Inactive" },
  paused: { meaning: "warning", word: "Paused" },
  disabled: { meaning: "bad", word: "Disabled" },
  healthy: { meaning: "good", word: "Healthy" },
  failing: { meaning: "warning", word: "Failing" },
  // Deliveries
  delivered: { meaning: "good", word: "Delivered" },
  pending: { meaning: "waiting", word: "Pending" },
  retrying: { meaning: "waiting", word: "Retrying" },
  skipped: { meaning: "off", word: "Skipped" },
  expired: { meaning: "off", word: "Expired" },
  // Alerts, jobs and sessions
  open: { meaning: "bad", word: "Open" },
  resolved: { meaning: "good", word: "Resolved" },
  running: { meaning: "waiting", word: "Running" },
  done: { meaning: "good", word: "Done" },
  cancelled: { meaning: "off", word: "Cancelled" },
  revoked: { meaning: "off", word: "Revoked" },
  ended: { meaning: "off", word: "Ended" },
  used: { meaning: "off", word: "Used" },
  ok: { meaning: "good", word: "All well" },
  degraded: { meaning: "bad", word: "Degraded" },
};

export function stateOf(state: string): State {
  return STATES[state] ?? { meaning: "off", word: sentence(state) };
}

export function StateBadge({ state }: { state: string }) {
  const { meaning, word } = stateOf(state);
  return <Badge meaning={meaning}>{word}</Badge>;
}

/** `dead_letters` as `Dead letters`. */
export function sentence(name: string): string {
  const words = name.replaceAll("_", " ").toLowerCase();
  return words.charAt(0).toUpperCase() + words.slice(1);
}
