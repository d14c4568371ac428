/** One field of a webhook's form, with its consequence. */
import type { Child } from "hono/jsx";
import { NowBeside } from "./now-beside.tsx";
import { problemOf } from "./webhook-problems.tsx";

interface FieldProps {
  name: string;
  label: string;
  hint: string;
  /** Of all fields. */
  problems: Record<string, string>;
  /** What somebody else has set meanwhile. */
  now: string | null;
  children: Child;
}

export function Field({ name, label, hint, problems, now, children }: FieldProps) {
  const problem = problemOf(problems, name);
  return (
    <p class="field">
      <label for={name}>{label}</label>
      {children}
      {problem !== null && <span class="problem">{problem}</span>}
      <NowBeside now={now} />
      <span class="hint">{hint}</span>
    </p>
  );
}
