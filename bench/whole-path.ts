/**
 * The whole path, with the consumer attached and the files-creator stand-in bound as a service in a process of its own: how
 * many reports a second become files, and how long one takes from its 202 to the files-creator at a steady pace.
 */
import { INBOUND_PATH, startGateway } from "./gateway.ts";
import type { Load } from "./load.ts";
import { type Modules, withoutPrinting } from "./runtime.ts";
import { quantile } from "./statistics.ts";

const CONNECTIONS = 20;
const CLIENTS = 16;
const REPORT_BYTES = 2_400;
export const STEADY_PER_SECOND = 50;
const PAGE = 1_000;
const POLL_MS = 200;
const DRAIN_LIMIT_MS = 90_000;

export interface WholePath {
  /** Reports that became files, and how many a second, from the first POST to the last file. */
  files: number;
  filesPerSecond: number;
  /** From the 202 at the sender to the files-creator's receipt, at {@link STEADY_PER_SECOND}. */
  steady: { reports: number; p50Ms: number; p99Ms: number; worstMs: number };
}

interface FileSummary {
  file_id: string;
  status: string;
  received_at: string;
}

export async function measureWholePath(
  load: Load,
  modules: { gateway: Modules; standIn: Modules },
  pace: { burstReports: number; steadyMs: number },
): Promise<WholePath> {
  const gateway = await startGateway("whole-path", withoutPrinting(modules.gateway), {
    standIn: modules.standIn,
    apart: true,
  });
  try {
    const standIn = `http://127.0.0.1:${gateway.filesCreatorPort}`;
    const senders = await gateway.connections(CONNECTIONS, "enterprise");
    const recipe = {
      path: INBOUND_PATH,
      senders,
      bodyBytes: REPORT_BYTES,
      flaw: "none",
      addresses: "one",
    } as const;
    const send = (count: number, perSecond?: number) =>
      load.run({
        port: gateway.port,
        clients: CLIENTS,
        limitMs: DRAIN_LIMIT_MS,
        recipe: { ...recipe, count },
        noteFiles: true,
        ...(perSecond !== undefined && { perSecond }),
      });

    const warmUp = await send(Math.ceil(pace.burstReports / 4));
    await allWritten(standIn, warmUp.files.length);

    const steady = await send((pace.steadyMs / 1_000) * STEADY_PER_SECOND, STEADY_PER_SECOND);
    const receipts = await allWritten(standIn, warmUp.files.length + steady.files.length);
    const waits = steady.files.map(
      ([fileId, answeredAt]) => (receipts.get(fileId) ?? Number.NaN) - answeredAt,
    );

    const startedAt = Date.now();
    const burst = await send(pace.burstReports);
    await allWritten(standIn, warmUp.files.length + steady.files.length + burst.files.length);
    return {
      files: burst.files.length,
      filesPerSecond: burst.files.length / ((Date.now() - startedAt) / 1_000),
      steady: {
        reports: waits.length,
        p50Ms: quantile(waits, 0.5),
        p99Ms: quantile(waits, 0.99),
        worstMs: Math.max(...waits),
      },
    };
  } finally {
    await gateway.stop();
  }
}

/** Waits until `count` files are written. Answers when each was received. */
async function allWritten(standIn: string, count: number): Promise<Map<string, number>> {
  const deadline = Date.now() + DRAIN_LIMIT_MS;
  for (;;) {
    const { total } = await page(standIn, 1);
    if (total >= count) {
      const files = await allFiles(standIn);
      if (files.every((file) => file.status !== "receiving"))
        return new Map(files.map((file) => [file.file_id, Date.parse(file.received_at)]));
    }
    if (Date.now() > deadline) throw new Error(`${total} of ${count} reports became files`);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

async function allFiles(standIn: string): Promise<FileSummary[]> {
  const all: FileSummary[] = [];
  for (let before: number | null = Number.MAX_SAFE_INTEGER; before !== null; ) {
    const { files, next_cursor }: Page = await page(standIn, PAGE, before);
    all.push(...files);
    before = next_cursor;
  }
  return all;
}

interface Page {
  total: number;
  files: FileSummary[];
  next_cursor: number | null;
}

async function page(standIn: string, limit: number, before = Number.MAX_SAFE_INTEGER): Promise<Page> {
  const response = await fetch(`${standIn}/files?limit=${limit}&before=${before}`);
  if (!response.ok) throw new Error(`the files-creator's list: ${response.status}`);
  return (await response.json()) as Page;
}
