/** The command line of `npm run send`: its options, its defaults from .dev/demo.json, and its help text. */

import { parseArgs } from "node:util";
import type { EarlierDemo } from "./demo.ts";
import { Problem } from "./problem.ts";

export interface SendArguments {
  file: string | null;
  /** The gateway's address, without a slash at the end. */
  url: string;
  connection: string;
  secret: string;
  count: number;
  concurrency: number;
  /** Seconds of `Prefer: wait`, or null to ask for none. */
  wait: number | null;
  idempotencyKey: string | null;
  /** Whether every report gets a `report_number` of its own. */
  vary: boolean;
  retry: boolean;
}

export const SEND_HELP = `Sends signed payroll reports to a gateway.

  npm run send -- [options]

  --file PATH             the report to send              (default: an example report)
  --connection ID         the webhook connection          (default: .dev/demo.json)
  --secret SECRET         its signing secret              (default: .dev/demo.json)
  --url URL               the gateway                     (default: .dev/demo.json)
  --count N               how many reports to send        (default: 1)
  --concurrency C         how many at a time              (default: 16, at most the count)
  --wait SECONDS          hold each answer until the files-creator has answered (Prefer: wait=1 to 30)
  --idempotency-key KEY   send this key; with --count and different bodies: KEY-1, KEY-2, …
  --vary                  add a unique "report_number" to the report
  --same                  send the same bytes every time
  --retry                 after a 429, a 503 or no answer, wait as Retry-After says and send the same request again
  --help                  this text

Each report is signed with its own timestamp. With --count above 1, each also gets a unique top-level field
"report_number", unless --same is given.

Exit code: 0 if every report was accepted or was a duplicate, 1 if not, 2 for bad arguments.
`;

const DEFAULT_CONCURRENCY = 16;
const MAX_COUNT = 10_000_000;
const MAX_CONCURRENCY = 1_000;
const MAX_WAIT_S = 30;

/** A problem with the command line: exit code 2. */
class BadArgument extends Problem {
  constructor(message: string) {
    super(`${message}\nnpm run send -- --help lists the options.`, 2);
  }
}

/** Null if help was requested. `readDemo` supplies missing values, and is called only if some are missing. */
export function parseSendArguments(
  args: readonly string[],
  readDemo: () => EarlierDemo | null,
): SendArguments | null {
  const values = readOptions(args);
  if (values.help) return null;
  if (values.vary && values.same) throw new BadArgument("Use either --vary or --same, not both.");
  const count = wholeNumber("count", values.count, 1, MAX_COUNT) ?? 1;
  const concurrency =
    wholeNumber("concurrency", values.concurrency, 1, MAX_CONCURRENCY) ?? DEFAULT_CONCURRENCY;
  return {
    file: values.file ?? null,
    ...target(values, readDemo),
    count,
    concurrency: Math.min(count, concurrency),
    wait: wholeNumber("wait", values.wait, 1, MAX_WAIT_S),
    idempotencyKey: idempotencyKey(values["idempotency-key"]),
    vary: values.vary || (count > 1 && !values.same),
    retry: values.retry,
  };
}

function readOptions(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      strict: true,
      options: {
        file: { type: "string" },
        connection: { type: "string" },
        secret: { type: "string" },
        url: { type: "string" },
        count: { type: "string" },
        concurrency: { type: "string" },
        wait: { type: "string" },
        "idempotency-key": { type: "string" },
        vary: { type: "boolean", default: false },
        same: { type: "boolean", default: false },
        retry: { type: "boolean", default: false },
        help: { type: "boolean", default: false, short: "h" },
      },
    }).values;
  } catch (error) {
    throw new BadArgument(error instanceof Error ? error.message : String(error));
  }
}

function target(
  given: { connection?: string | undefined; secret?: string | undefined; url?: string | undefined },
  readDemo: () => EarlierDemo | null,
): Pick<SendArguments, "connection" | "secret" | "url"> {
  const { connection, secret, url } = given;
  if (connection !== undefined && secret === undefined)
    throw new BadArgument("--connection needs its --secret.");
  const demo = connection !== undefined && secret !== undefined && url !== undefined ? null : readDemo();
  const full = {
    connection: connection ?? demo?.connection_id,
    secret: secret ?? demo?.secret,
    url: url ?? demo?.base_url,
  };
  if (full.connection === undefined || full.secret === undefined || full.url === undefined) {
    throw new BadArgument(
      "Give --connection, --secret and --url, or run `npm start` once: it writes .dev/demo.json.",
    );
  }
  if (full.connection === "" || full.secret === "")
    throw new BadArgument("--connection and --secret must not be empty.");
  return { connection: full.connection, secret: full.secret, url: gatewayUrl(full.url) };
}

function gatewayUrl(text: string): string {
  if (!URL.canParse(text) || !/^https?:$/.test(new URL(text).protocol)) {
    throw new BadArgument(`--url must be an http or https address, not "${text}".`);
  }
  return text.replace(/\/+$/, "");
}

function idempotencyKey(key: string | undefined): string | null {
  if (key === undefined) return null;
  if (/^[\x20-\x7e]{1,255}$/.test(key)) return key;
  throw new BadArgument("--idempotency-key must be 1 to 255 printable ASCII characters.");
}

function wholeNumber(
  option: string,
  text: string | undefined,
  lowest: number,
  highest: number,
): number | null {
  if (text === undefined) return null;
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= lowest && value <= highest) return value;
  throw new BadArgument(`--${option} must be a whole number from ${lowest} to ${highest}, not "${text}".`);
}
