/** `npm run proof -- simulate`: simulates an hour's outage of the files-creator at 1,000 reports per second, and how long the backlog takes to drain. */
import { seeded } from "../../support/random.ts";
import { type Scenario, type Second, simulate } from "./outage.ts";

const DOWN_FROM_S = 120;
const DOWN_UNTIL_S = DOWN_FROM_S + 3_600;
const COMMON: Omit<Scenario, "consumers" | "answerMs" | "random"> = {
  reportsPerSecond: 1_000,
  downFrom: DOWN_FROM_S,
  downUntil: DOWN_UNTIL_S,
  until: DOWN_UNTIL_S + 6_000,
  gates: 500,
  callMs: 10,
};
const SCENARIOS = [
  {
    words: "twenty consumers, as configured, and a files-creator that answers in 20 ms",
    consumers: 20,
    answerMs: 20,
  },
  { words: "a hundred consumers, and a files-creator that answers in 100 ms", consumers: 100, answerMs: 100 },
];
const SHOWN_S = [
  -60, 5, 60, 600, 1_800, 3_599, 3_605, 3_610, 3_620, 3_630, 3_660, 3_900, 4_500, 5_400, 6_600,
];

const say = (line = "") => process.stdout.write(`${line}\n`);
const cell = (value: number | string) => String(value).padStart(12);
const most = (seconds: Second[], of: (second: Second) => number) =>
  seconds.reduce((max, s) => Math.max(max, of(s)), 0);

for (const { words, ...given } of SCENARIOS) {
  const seconds = simulate({ ...COMMON, ...given, random: seeded(1) });
  const [during, after] = [seconds.slice(DOWN_FROM_S, DOWN_UNTIL_S), seconds.slice(DOWN_UNTIL_S)];
  const checks = during.reduce((sum, s) => sum + s.postponed, 0);
  say(`${words}:`);
  say(
    ["since it went, s", "waiting", "posts/s", "postponed/s", "messages/s", "in the queue"]
      .map(cell)
      .join(" "),
  );
  for (const since of SHOWN_S) {
    const second = seconds[DOWN_FROM_S + since];
    if (second === undefined) continue;
    const { waiting, posted, postponed, messages, inQueue } = second;
    say([since, waiting, posted, postponed, messages, inQueue].map(cell).join("    ").slice(3));
  }
  say(`  drained ${Math.round(after.length / 60)} min after it was back`);
  say(`  at most ${most(after, (s) => s.posted)} posts a second then, ${6 * given.consumers} at a time`);
  say(`  ${during.reduce((sum, s) => sum + s.posted, 0)} posts in the hour, nearly all in its first seconds`);
  say(
    `  each report went back to its gate ${(checks / 3_600_000).toFixed(1)} times, ${most(during, (s) => s.postponed)} a second at most`,
  );
  say(`  never more than ${most(during, (s) => s.inQueue)} messages in the queue meanwhile`);
  say();
}
