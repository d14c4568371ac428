/**
 * The whole path, with the consumer attached and the files-creator bound as a service in a process of its own: how long a report
 * takes from its 202 to the files-creator at a steady pace, where that one costs next to nothing, and how many reports a second
 * become files of the one for local development.
 */
import path from "node:path";
import { freePort } from "../../e2e/project-copy.ts";
import type { FileReceipt } from "./files-creator-process.ts";
import { type Gateway, INBOUND_PATH, PORTAL, standInSource, startGateway } from "./gateway.ts";
import type { Load } from "./load.ts";
import type { Sender } from "./requests.ts";
import { type Modules, startWorkers, withoutPrinting } from "./runtime.ts";
import { ServerProcess } from "./server-process.ts";
import { quantile } from "./statistics.ts";

const CONNECTIONS = 20;
const CLIENTS = 16;
const REPORT_BYTES = 2_400;
export const STEADY_PER_SECOND = 50;
const WARM_UP_REPORTS = 500;
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

export async function measureWholePath(
  load: Load,
  modules: { gateway: Modules; standIn: Modules },
  pace: { burstReports: number; steadyMs: number },
): Promise<WholePath> {
  const steady = await measureSteady(load, modules.gateway, pace.steadyMs);
  return { steady, ...(await measureBurst(load, modules, pace.burstReports)) };
}

async function measureSteady(
  load: Load,
  modules: Modules,
  milliseconds: number,
): Promise<WholePath["steady"]> {
  const port = await freePort();
  const filesCreator = await ServerProcess.start<FileReceipt>(
    path.join(import.meta.dirname, "files-creator-process.ts"),
    [String(port), PORTAL.id, PORTAL.secret],
  );
  const gateway = await startGateway("steady", withoutPrinting(modules), {
    filesCreatorAt: filesCreator.port,
    port,
  });
  try {
    const senders = await gateway.connections(CONNECTIONS, "enterprise");
    const warmUp = await send(load, gateway, senders, WARM_UP_REPORTS);
    await filesCreator.take(warmUp.files.length, DRAIN_LIMIT_MS);
    const count = (milliseconds / 1_000) * STEADY_PER_SECOND;
    const { files } = await send(load, gateway, senders, count, STEADY_PER_SECOND);
    const receipts = await filesCreator.take(files.length, DRAIN_LIMIT_MS);
    const receivedAt = new Map(receipts.map(({ fileId, at }) => [fileId, at]));
    const waits = files.map(([fileId, answeredAt]) => (receivedAt.get(fileId) ?? Number.NaN) - answeredAt);
    return {
      reports: waits.length,
      p50Ms: quantile(waits, 0.5),
      p99Ms: quantile(waits, 0.99),
      worstMs: Math.max(...waits),
    };
  } finally {
    await Promise.all([gateway.stop(), filesCreator.stop()]);
  }
}

async function measureBurst(
  load: Load,
  modules: { gateway: Modules; standIn: Modules },
  reports: number,
): Promise<Omit<WholePath, "steady">> {
  const port = await freePort();
  const standIn = await startWorkers("burst-files-creator", [
    { ...standInSource(modules.standIn), elsewhere: { GATEWAY: port } },
  ]);
  const gateway = await startGateway("burst", withoutPrinting(modules.gateway), {
    filesCreatorAt: standIn.port,
    port,
  });
  try {
    const senders = await gateway.connections(CONNECTIONS, "enterprise");
    const warmUp = await send(load, gateway, senders, WARM_UP_REPORTS);
    await allWritten(standIn.port, warmUp.files.length);
    const startedAt = Date.now();
    const { files } = await send(load, gateway, senders, reports);
    await allWritten(standIn.port, warmUp.files.length + files.length);
    return { files: files.length, filesPerSecond: files.length / ((Date.now() - startedAt) / 1_000) };
  } finally {
    await Promise.all([gateway.stop(), standIn.stop()]);
  }
}

function send(load: Load, { port }: Gateway, senders: Sender[], count: number, perSecond?: number) {
  return load.run({
    port,
    clients: CLIENTS,
    limitMs: DRAIN_LIMIT_MS,
    recipe: {
      path: INBOUND_PATH,
      senders,
      bodyBytes: REPORT_BYTES,
      flaw: "none",
      addresses: "one",
      count,
    },
    noteFiles: true,
    ...(perSecond !== undefined && { perSecond }),
  });
}

/** Waits until the files-creator at this port has written `count` files. */
async function allWritten(port: number, count: number): Promise<void> {
  const deadline = Date.now() + DRAIN_LIMIT_MS;
  let written = 0;
  while (written < count) {
    if (Date.now() > deadline) throw new Error(`${written} of ${count} reports became files`);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    written = 0;
    for (let before: number | null = Number.MAX_SAFE_INTEGER; before !== null; ) {
      const response = await fetch(`http://127.0.0.1:${port}/files?limit=${PAGE}&before=${before}`);
      if (!response.ok) throw new Error(`the files-creator's list: ${response.status}`);
      const page = (await response.json()) as Page;
      written += page.files.filter(({ status }) => status !== "receiving").length;
      before = page.next_cursor;
    }
  }
}

interface Page {
  files: { status: string }[];
  next_cursor: number | null;
}
