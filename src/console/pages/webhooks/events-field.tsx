/** The events that a webhook asks for, chosen from the catalogue: single types, whole families, or all. */
import type { ShownEventType } from "../../../portal/events/event-type-contract.ts";
import { sentence } from "../../parts/badge.tsx";
import { NowBeside } from "./now-beside.tsx";
import { EVENT_FIELD } from "./webhook-values.ts";

const TEST_FAMILY = "webhook";

interface EventsFieldProps {
  types: readonly ShownEventType[];
  chosen: readonly string[];
  problem: string | null;
  now: string | null;
  isNew: boolean;
}

export function EventsField({ types, chosen, problem, now, isNew }: EventsFieldProps) {
  const families = Map.groupBy(types, ({ type }) => type.slice(0, type.indexOf(".")));
  // A test is sent to the webhook whether or not it asks for one.
  families.delete(TEST_FAMILY);
  const kept = chosen.filter((each) => each.startsWith(`${TEST_FAMILY}.`));
  const Choice = ({ pattern, hint }: { pattern: string; hint: string }) => (
    <label class="choice">
      <input type="checkbox" name={`${EVENT_FIELD}${pattern}`} checked={chosen.includes(pattern)} />
      <span>
        <code>{pattern}</code> <span class="small quiet">{hint}</span>
      </span>
    </label>
  );
  return (
    <fieldset class="event-choice">
      <legend>Events</legend>
      {problem !== null && <span class="problem">{problem}</span>}
      <NowBeside now={now} />
      {kept.map((pattern) => (
        <input type="hidden" name={`${EVENT_FIELD}${pattern}`} value="on" />
      ))}
      <Choice pattern="*" hint="Everything, including types that are added later" />
      {[...families].map(([family, members]) => (
        <details open={members.some(({ type }) => chosen.includes(type)) || chosen.includes(`${family}.*`)}>
          <summary>
            {sentence(family)} <span class="quiet small">{members.length} types</span>
          </summary>
          <Choice pattern={`${family}.*`} hint="All of these, including types that are added later" />
          {members.map(({ type, summary }) => (
            <Choice pattern={type} hint={summary} />
          ))}
        </details>
      ))}
      <span class="small quiet">
        {isNew
          ? "Only events that are stored from now on are sent. Earlier ones can be replayed."
          : "Takes effect for events that are stored from now on. Deliveries that wait for a type that is no longer chosen are not sent: they fail when they are due."}
      </span>
    </fieldset>
  );
}
