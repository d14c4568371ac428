/** `npm run demo`: traffic on the running demonstration, for whoever wants to see the console move. */

import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { DEMO_EMPLOYER, DEMO_OWNER, type Demo, readDemo } from "./demo.ts";
import { portalOf } from "./demo-client.ts";
import { MISTAKES, report, type Sender, send, signedProperly } from "./demo-requests.ts";
import { setScenes } from "./demo-scenes.ts";
import { Problem, runCommand } from "./problem.ts";
import { Progress } from "./progress.ts";

const HELP = `Sends requests to the demonstration that npm start runs.

  npm run demo                sets the demonstration's scenes once more: connections, reports, mistakes, webhooks, events
  npm run demo -- --busy      plays an hour of traffic in a minute: reports, repeats and mistakes of four payroll systems

  --seconds N                 of the busy hour only the first N minutes, each in a second (60)
  --help                      this text
`;

/** Each second plays a minute. */
const HOUR_S = 60;
const MOST_A_SECOND = 14;
const REPEATED_EVERY = 23;
const MISTAKEN_EVERY = 17;
const EVENT_EVERY = 40;
const SYSTEMS = ["Paychoice", "Ledgerline", "Timely HR", "Orchard Payroll"];

/** How many requests a second of the play sends: two waves, as when batches run at the full and at the half hour. */
function requestsIn(second: number): number {
  const wave = Math.sin((second / HOUR_S) * 4 * Math.PI - Math.PI / 2);
  return Math.max(1, Math.round((MOST_A_SECOND * (1 + wave)) / 2));
}

async function playBusyHour(demo: Demo, seconds: number): Promise<void> {
  const call = portalOf(demo);
  const systems: Sender[] = await Promise.all(
    SYSTEMS.map(async (description) => {
      const made = await call<{ connection: { id: string }; secret: string }>("POST", "/connections", {
        ...DEMO_OWNER,
        type: "webhook",
        plan: "enterprise",
        environment: "production",
        employer_id: DEMO_EMPLOYER.id,
        description,
      });
      return { url: demo.base_url, id: made.connection.id, secret: made.secret };
    }),
  );
  const mistakes = Object.values(MISTAKES);
  const answers = new Map<number, number>();
  const play = async (n: number) => {
    const sender = systems[n % systems.length];
    if (sender === undefined) throw new Error("there are no systems");
    const body = report(n, { fein: DEMO_EMPLOYER.fein });
    const mistake = n % MISTAKEN_EVERY === 0 ? mistakes[(n / MISTAKEN_EVERY) % mistakes.length] : undefined;
    const headers = mistake?.(body, sender) ?? signedProperly(body, sender);
    for (let times = n % REPEATED_EVERY === 0 ? 2 : 1; times > 0; times--) {
      const status = await send(sender, body, headers);
      answers.set(status, (answers.get(status) ?? 0) + 1);
    }
    if (n % EVENT_EVERY === 0)
      await call("POST", "/events", {
        id: `busy_${Date.now().toString(36)}_${n}`,
        type: "audit.completed",
        data: { auditId: `AUD-${n}`, employerId: DEMO_EMPLOYER.id },
        environment: "production",
        ...DEMO_OWNER,
      });
  };
  const progress = new Progress(seconds, process.stderr);
  const start = Date.now();
  const running: Promise<void>[] = [];
  let n = 0;
  for (let second = 0; second < seconds; second++) {
    for (let i = requestsIn(second); i > 0; i--) running.push(play(++n));
    progress.advance();
    await sleep(start + (second + 1) * 1_000 - Date.now());
  }
  await Promise.all(running);
  progress.end();
  const counts = [...answers].sort(([a], [b]) => a - b).map(([status, count]) => `${count} × ${status}`);
  process.stdout.write(`Answered: ${counts.join(", ")}\nThe console: ${demo.console_url}\n`);
}

async function play(): Promise<number> {
  const { values } = parseArgs({
    options: {
      busy: { type: "boolean", default: false },
      seconds: { type: "string", default: String(HOUR_S) },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    process.stdout.write(HELP);
    return 0;
  }
  const demo = readDemo();
  if (demo?.console_url === undefined)
    throw new Problem("There is no demonstration yet: run npm start first.");
  const seconds = Number(values.seconds);
  if (!Number.isInteger(seconds) || seconds < 1 || seconds > HOUR_S)
    throw new Problem(`--seconds must be a number from 1 to ${HOUR_S}.\n\n${HELP}`, 2);
  if (values.busy) await playBusyHour(demo as Demo, seconds);
  else await setScenes(demo as Demo);
  return 0;
}

await runCommand(play);
