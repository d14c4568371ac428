/** The frame around each step of Set up connection, and the addresses of the steps. */
import type { Child } from "hono/jsx";
import type { ShownConnection } from "../../../portal/connections/connection-contract.ts";
import { Badge } from "../../parts/badge.tsx";
import { Link } from "../../parts/link.tsx";
import { Heading } from "../../parts/panels.tsx";
import { Id } from "../../parts/values.tsx";
import { to } from "../../paths.ts";

/** The first two are before the connection exists, the others are about it. */
export const STEPS = ["type", "who", "created", "send", "wait", "done"] as const;
export type Step = (typeof STEPS)[number];

const LABELS: Record<Step, string> = {
  type: "Type",
  who: "Who",
  created: "Address and secret",
  send: "Send one",
  wait: "First request",
  done: "Done",
};

/** An unknown step counts as missing. */
export function stepOf(query: URLSearchParams): Step {
  const named = STEPS.find((step) => step === query.get("step"));
  return named ?? (query.has("connection") ? "send" : "type");
}

export function isBeforeCreation(step: Step): boolean {
  return step === "type" || step === "who";
}

export function stepAddress(
  step: Step,
  connection?: { id: string },
  more: Record<string, string> = {},
): string {
  return to.newConnection({ step, connection: connection?.id, ...more });
}

interface StepPageProps {
  step: Step;
  connection?: ShownConnection;
  children: Child;
}

export function StepPage({ step, connection, children }: StepPageProps) {
  return (
    <>
      <Heading title="Set up connection" aside={connection && <ConnectionFacts connection={connection} />} />
      <nav aria-label="Steps">
        <ol class="wizard-steps">
          {STEPS.map((each) => (
            <li aria-current={each === step ? "step" : undefined}>
              {each !== step && isBeforeCreation(each) === (connection === undefined) ? (
                <Link href={stepAddress(each, connection)}>{LABELS[each]}</Link>
              ) : (
                LABELS[each]
              )}
            </li>
          ))}
        </ol>
      </nav>
      {children}
    </>
  );
}

function ConnectionFacts({ connection }: { connection: ShownConnection }) {
  const { id, environment, status } = connection;
  return (
    <>
      <Id id={id} whole />
      <span class={`environment ${environment}`}>{environment}</span>
      {status === "inactive" && <Badge meaning="off">Inactive</Badge>}
    </>
  );
}
