/** How far an event got: to how many webhooks, and what became of its deliveries. */
import type { ShownEventOfOwner } from "../../../portal/events/event-contract.ts";
import { Badge, type Meaning } from "../../parts/badge.tsx";
import { number } from "../../parts/values.tsx";

type Counts = ShownEventOfOwner["deliveries"];

const PARTS: readonly { of: Exclude<keyof Counts, "total">; meaning: Meaning; word: string }[] = [
  { of: "failed", meaning: "bad", word: "failed" },
  { of: "waiting", meaning: "waiting", word: "waiting" },
  { of: "skipped", meaning: "off", word: "skipped" },
  { of: "delivered", meaning: "good", word: "delivered" },
];

export function FanOut({ counts }: { counts: Counts }) {
  if (counts.total === 0) return <span class="quiet">No webhook asked for it</span>;
  return (
    <span class="fan-out">
      {PARTS.filter(({ of }) => counts[of] > 0).map(({ of, meaning, word }) => (
        <Badge meaning={meaning}>
          {number(counts[of])} {word}
        </Badge>
      ))}
    </span>
  );
}
