/** `npm run proof -- cost`: dollars per million accepted reports, by size and shape of traffic, and by item. */
import counts from "./counts.json" with { type: "json" };
import { keeping, logging, OBJECT_CALL_MS, operations, PARTS, partOf, sum, watchMonth } from "./model.ts";
import { AS_OF, PRICES } from "./prices.ts";

const SIZES: [string, number][] = [
  ["300 B", 300],
  ["2.4 KB", 2_400],
  ["60 KB", 60_000],
  ["1 MB", 1_000_000],
];
const SHAPES = {
  steady: "one a second on one connection",
  burst: "bursts of 500 on one connection",
  daily: "one a day on every connection",
} as const;
/** Larger bodies are stored in the bucket from the start. */
const INLINE_BYTES = 65_536;

const say = (line = "") => process.stdout.write(`${line}\n`);
const dollars = (amount: number) => `$${amount.toFixed(amount < 0.095 ? 3 : 2)}`;
const cell = (text: string) => text.padStart(14);

say(
  `Dollars per million accepted reports, from the POST to the purge: forwarded, reported on twice, completed,`,
);
say(
  `archived. Marginal prices as of ${AS_OF}, beyond what the plan includes (test/proofs/cost/prices.ts); counts from test/proofs/cost/counts.json.`,
);
for (const [shape, words] of Object.entries(SHAPES) as [keyof typeof SHAPES, string][]) {
  const columns = SIZES.map(([, bytes]) => {
    const used = bytes <= INLINE_BYTES ? counts[shape].inline : counts[shape].stored;
    return { used, running: operations(used, bytes), kept: keeping(bytes, counts.recordBytes) };
  });
  const row = (name: string, of: (column: (typeof columns)[number]) => number) =>
    say([name.padEnd(18), ...columns.map((column) => cell(dollars(of(column))))].join(""));
  say();
  say(words);
  say([" ".repeat(18), ...SIZES.map(([name]) => cell(name))].join(""));
  for (const [i, [name]] of (columns[0]?.running ?? []).entries())
    row(name, ({ running }) => running[i]?.[1] ?? 0);
  row("TOTAL", ({ running }) => sum(running));
  for (const part of PARTS) row(`  of it, ${part}`, ({ used }) => partOf(used.parts[part]));
  for (const [i, [name]] of (columns[0]?.kept ?? []).entries())
    row(`+ ${name}`, ({ kept }) => kept[i]?.[1] ?? 0);
  row("+ log lines", ({ used }) => logging(used));
}

// The lower bound of this design: four writes to a report's row, one message, six calls, four invocations.
const floor = operations(
  {
    workerRequests: 4,
    logLines: 0,
    objectRequests: 6,
    objectRowsWritten: 4,
    objectRowsRead: 10,
    d1RowsRead: 2,
    d1RowsWritten: 0,
    queueMessages: 1,
    bucketWrites: 0,
    bucketReads: 0,
  },
  2_400,
);
say();
say(
  `The floor of this design for 2.4 KB, one a second: ${dollars(sum(floor))}. Its row is written when the report is admitted,`,
);
say(
  `forwarded, completed and archived, and leaves with its table; one message; the POST, the consumer and two reports are`,
);
say(`invocations; admit, claim, permit, settle and two reports are calls.`);
say();
say(
  `"of it": what people see. The watch costs ${dollars(watchMonth())} a month on top, whatever the traffic. With one a day, counts cost most for a`,
);
say(
  `gateway with this one connection: the rows of its owner and of everything are written for all connections at once.`,
);
say();
say(
  `"+" lines are not in the total. Objects are taken to work ${OBJECT_CALL_MS} ms a call. CPU was measured with the platform's stand-ins`,
);
say(
  `in the same process, so it is too high. The first twenty million log lines a month are free, then ${dollars(PRICES.logLines)} a million:`,
);
say(`head_sampling_rate in wrangler.toml is how to write fewer. What the files-creator costs is its own.`);
