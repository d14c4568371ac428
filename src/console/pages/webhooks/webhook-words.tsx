/** How well a webhook does, and what it asks for, in words. */
import type { ListedWebhook } from "../../../portal/webhooks/webhook-contract.ts";
import { Badge, type Meaning } from "../../parts/badge.tsx";
import { failureWords } from "../../parts/failure-words.ts";
import { Time } from "../../parts/values.tsx";

function healthOf({ status, health }: ListedWebhook): { meaning: Meaning; word: string } {
  if (status === "disabled") return { meaning: "bad", word: "Disabled" };
  if (status === "paused") return { meaning: "warning", word: "Paused" };
  if (health.failing_since !== null) return { meaning: "warning", word: "Failing" };
  if (health.last_success_at !== null) return { meaning: "good", word: "Healthy" };
  return { meaning: "off", word: "Not used yet" };
}

export function HealthBadge({ webhook }: { webhook: ListedWebhook }) {
  const { meaning, word } = healthOf(webhook);
  return <Badge meaning={meaning}>{word}</Badge>;
}

/** The last failure in a few words; null after a success. */
export function lastFailureOf({ health: { last_failure: failure } }: ListedWebhook): string | null {
  if (failure === null) return null;
  if (failure.bot_wall) return failure.status === null ? "Bot wall" : `Bot wall (${failure.status})`;
  return failure.status === null ? failureWords(failure.kind) : `HTTP ${failure.status}`;
}

/** Why it is in its state, and until when, for a line of a list. */
export function Trouble({ webhook }: { webhook: ListedWebhook }) {
  const { status, disabled_reason: reason, health, paused_at } = webhook;
  if (status === "disabled") return <span>{disabledWords(reason)}</span>;
  if (status === "paused")
    return (
      <span>
        Holds what comes, since <Time at={paused_at} />
      </span>
    );
  if (health.failing_since === null) return <span class="none">–</span>;
  return (
    <span>
      {lastFailureOf(webhook) ?? "Every attempt fails"}
      {health.disables_at !== null && (
        <>
          , disabled <Time at={health.disables_at} />
        </>
      )}
    </span>
  );
}

function disabledWords(reason: ListedWebhook["disabled_reason"]): string {
  if (reason === "gone") return "Its endpoint answered 410";
  return reason === "failing" ? "It failed for five days" : "By hand";
}

/** `file.*, audit.completed +2`: the first few. */
export function eventsWords(events: readonly string[], most = 2): string {
  if (events.includes("*")) return "All events";
  const more = events.length - most;
  return events.slice(0, most).join(", ") + (more > 0 ? ` +${more}` : "");
}
