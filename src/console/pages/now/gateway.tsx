/** The state of the gateway's parts: in words for everybody, with numbers for staff. */
import type { HealthAnswer } from "../../../portal/health-routes.ts";
import { Badge } from "../../parts/badge.tsx";
import { Link } from "../../parts/link.tsx";
import { Facts, Panel } from "../../parts/panels.tsx";
import { number, Time } from "../../parts/values.tsx";
import { to } from "../../paths.ts";

const LATE: Record<HealthAnswer["late"][number], string> = {
  watch: "The watch does not answer, so nothing below it is known",
  cron: "The minute cron has been silent for over 5 minutes",
  files: "A report has waited for over 15 minutes",
  deliveries: "A delivery is overdue by over 5 minutes, or could not be read",
  queues: "A queue has a message older than 5 minutes, or could not be read",
  dead_letters: "Messages reached a dead-letter queue within the hour",
  stuck_files: "A file has been deferred for over an hour, or the list could not be read",
};

export function Late({ late }: { late: HealthAnswer["late"] }) {
  if (late.length === 0) return null;
  return (
    <ul class="late">
      {late.map((part) => (
        <li>
          <Badge meaning="bad">{LATE[part]}</Badge>
        </li>
      ))}
    </ul>
  );
}

export function Gateway({ health: { late, checks } }: { health: HealthAnswer }) {
  if (checks === undefined) return null;
  const { cron, dead_letters: dead, stuck_files: stuck } = checks;
  return (
    <Panel title="Gateway">
      <Facts
        facts={[
          [
            "Last cron run",
            late.includes("cron") ? (
              <Badge meaning="bad">
                <Time at={cron.last_run_at} />
              </Badge>
            ) : (
              <Time at={cron.last_run_at} />
            ),
          ],
          [
            "Dead letters within the hour",
            dead === 0 ? (
              "None"
            ) : (
              <Link href={to.reports({ reason: "consumer_died" })}>
                <Badge meaning="bad">{number(dead)}</Badge>
              </Link>
            ),
          ],
          [
            "Files that were deferred or failed",
            stuck === null ? "Unknown" : <Link href={to.reports()}>{number(stuck)}</Link>,
          ],
        ]}
      />
    </Panel>
  );
}
