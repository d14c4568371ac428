/** `npm run send`: signs one report or thousands, sends them to a gateway, and sums up the responses. */

import { readFile } from "node:fs/promises";
import { readDemo } from "./demo.ts";
import { EXAMPLE_REPORT } from "./example-report.ts";
import { Problem, runCommand } from "./problem.ts";
import { Progress } from "./progress.ts";
import { reportSeries } from "./report-series.ts";
import { parseSendArguments, SEND_HELP, type SendArguments } from "./send-arguments.ts";
import { type SentWithAnswer, sendReport, signReport } from "./send-report.ts";
import { SendSummary } from "./send-summary.ts";

async function send(): Promise<number> {
  const args = parseSendArguments(process.argv.slice(2), readDemo);
  if (args === null) {
    process.stdout.write(SEND_HELP);
    return 0;
  }
  const original =
    args.file === null ? new TextEncoder().encode(EXAMPLE_REPORT) : await readReport(args.file);
  const bodyOf = reportSeries(original, args.vary, Date.now().toString(36));
  const nextTimestamp = args.vary ? Date.now : distinctTimestamps();
  const sendOne = (n: number): Promise<SentWithAnswer> => {
    const idempotencyKey = keyOf(args, n);
    return sendReport(
      signReport(args, bodyOf(n), nextTimestamp(), { wait: args.wait, idempotencyKey }),
      args.retry,
    );
  };
  return args.count === 1 ? single(await sendOne(1)) : series(args, sendOne);
}

function single({ outcome, answer, latencyMs }: SentWithAnswer): number {
  const good = outcome.kind === "accepted" || outcome.kind === "duplicate";
  if (answer === null) process.stderr.write(`No answer${"reason" in outcome ? `: ${outcome.reason}` : ""}\n`);
  else process.stdout.write(`${answer.status} in ${latencyMs.toFixed(0)} ms\n${answer.text}\n`);
  return good ? 0 : 1;
}

async function series(args: SendArguments, sendOne: (n: number) => Promise<SentWithAnswer>): Promise<number> {
  const summary = new SendSummary();
  const progress = new Progress(args.count, process.stderr);
  const start = performance.now();
  let started = 0;
  let interrupted = false;
  process.once("SIGINT", () => {
    interrupted = true;
  });
  const lane = async () => {
    while (started < args.count && !interrupted) {
      started += 1;
      summary.add(await sendOne(started));
      progress.advance();
    }
  };
  await Promise.all(Array.from({ length: args.concurrency }, lane));
  progress.end();
  process.stdout.write(`${summary.render(performance.now() - start)}\n`);
  return summary.complete && !interrupted ? 0 : 1;
}

async function readReport(file: string): Promise<Uint8Array<ArrayBuffer>> {
  try {
    return new Uint8Array(await readFile(file));
  } catch (error) {
    throw new Problem(
      `Could not read the report: ${error instanceof Error ? error.message : String(error)}`,
      2,
    );
  }
}

/** Different bodies need different keys: a key that is reused with another body is rejected. */
function keyOf({ idempotencyKey, vary, count }: SendArguments, n: number): string | null {
  if (idempotencyKey === null) return null;
  return vary && count > 1 ? `${idempotencyKey}-${n}` : idempotencyKey;
}

/** The time in milliseconds, never the same twice: equal bytes at an equal time have one signature. */
function distinctTimestamps(): () => number {
  let last = 0;
  return () => {
    last = Math.max(Date.now(), last + 1);
    return last;
  };
}

await runCommand(send);
