/** The way of a report or a delivery as a vertical line of steps. */
import type { Child } from "hono/jsx";
import type { Meaning } from "./badge.tsx";
import { Instant } from "./values.tsx";

export interface Step {
  title: string;
  meaning: Meaning;
  /** When it happened; null if it has not. */
  at: string | number | null;
  /** One plain line. */
  text?: Child;
  /** The step that is next or under way. */
  isNext?: boolean;
}

export function Lifecycle({ steps }: { steps: readonly Step[] }) {
  return (
    <ol class="lifecycle">
      {steps.map(({ title, meaning, at, text, isNext = false }) => (
        <li class={isNext ? `next ${meaning}` : meaning} aria-current={isNext ? "step" : undefined}>
          <div class="step-title">
            <strong>{title}</strong>
            {at !== null && <Instant at={at} />}
          </div>
          {text !== undefined && <p>{text}</p>}
        </li>
      ))}
    </ol>
  );
}
