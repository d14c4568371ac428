/**
 * The load generator, in its own thread: each socket sends a prepared request, waits for the response, and sends the next. It only
 * finds the end of each response, so that it measures the server and not itself.
 */
import { connect, type Socket } from "node:net";
import { performance } from "node:perf_hooks";
import { parentPort } from "node:worker_threads";
import { prepare, type Recipe } from "./requests.ts";

/** The load of some clients on one server. */
export interface Order {
  port: number;
  clients: number;
  /** The round ends after this, or when every request of the recipe was sent. */
  limitMs: number;
  recipe: Recipe;
  /** Requests a second over all clients, evenly spaced; without it, as fast as answers come. */
  perSecond?: number;
  /** Keep the time of each answer by the file id in it. */
  noteFiles?: boolean;
}

export interface Round {
  seconds: number;
  /** The number of responses per status; 0 stands for a broken connection. */
  statuses: Record<number, number>;
  latenciesMs: Float64Array;
  /** Wall clock of the answer, ms since the epoch, by file id. */
  files: [fileId: string, answeredAt: number][];
}

const HEAD_END = Buffer.from("\r\n\r\n");
const CHUNKS_END = Buffer.from("\r\n0\r\n\r\n");

/** The length of the first response in `bytes`; null while it is incomplete. Responses are never pipelined. */
function answerLength(bytes: Buffer): number | null {
  const end = bytes.indexOf(HEAD_END);
  if (end < 0) return null;
  const head = bytes.toString("latin1", 0, end).toLowerCase();
  const at = head.indexOf("\r\ncontent-length:");
  if (at < 0) {
    if (!head.includes("\r\ntransfer-encoding:")) return end + 4;
    return bytes.includes(CHUNKS_END) ? bytes.length : null;
  }
  const length = end + 4 + Number.parseInt(head.slice(at + 17), 10);
  return bytes.length >= length ? length : null;
}

async function run(
  { port, clients, limitMs, perSecond, noteFiles }: Order,
  requests: readonly Buffer[],
): Promise<Round> {
  const latencies: number[] = [];
  const statuses: Record<number, number> = {};
  const files: Round["files"] = [];
  const startedAt = performance.now();
  const deadline = startedAt + limitMs;
  let next = 0;

  /** The next request, when it is due; null when the round is over. */
  const take = async (): Promise<Buffer | null> => {
    const number = next++;
    const request = requests[number];
    if (request === undefined) return null;
    if (perSecond !== undefined) {
      const wait = startedAt + (number * 1_000) / perSecond - performance.now();
      if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
    }
    return performance.now() < deadline ? request : null;
  };

  await Promise.all(
    Array.from({ length: clients }, async () => {
      let socket = await open(port);
      for (let request = await take(); request !== null; request = await take()) {
        const sentAt = performance.now();
        const answer = await exchange(socket, request);
        latencies.push(performance.now() - sentAt);
        const status = answer === null ? 0 : Number(answer.toString("latin1", 9, 12));
        statuses[status] = (statuses[status] ?? 0) + 1;
        if (noteFiles && status === 202 && answer !== null) {
          const fileId = /"file_id":"([^"]+)"/.exec(answer.toString("latin1"))?.[1];
          if (fileId !== undefined) files.push([fileId, performance.timeOrigin + performance.now()]);
        }
        if (socket.destroyed || socket.readableEnded) socket = await open(port);
      }
      socket.destroy();
    }),
  );
  const seconds = (performance.now() - startedAt) / 1_000;
  return { seconds, statuses, latenciesMs: Float64Array.from(latencies), files };
}

function open(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: "127.0.0.1", noDelay: true }, () => resolve(socket));
    socket.once("error", reject);
  });
}

/** Null when the connection ends before the answer does. */
function exchange(socket: Socket, request: Buffer): Promise<Buffer | null> {
  return new Promise((resolve) => {
    let received: Buffer | null = null;
    const done = (answer: Buffer | null) => {
      socket.off("data", onData);
      socket.off("close", onClose);
      resolve(answer);
    };
    const onClose = () => done(null);
    const onData = (chunk: Buffer) => {
      received = received === null ? chunk : Buffer.concat([received, chunk]);
      if (answerLength(received) === null) return;
      if (/\r\nconnection: close/i.test(received.toString("latin1", 0, received.indexOf(HEAD_END))))
        socket.destroy();
      done(received);
    };
    socket.on("data", onData);
    socket.on("close", onClose);
    socket.write(request);
  });
}

parentPort?.on("message", async (orders: Order[]) => {
  const now = Date.now();
  const prepared = orders.map(({ recipe }) => prepare(recipe, now));
  parentPort?.postMessage(await Promise.all(orders.map((order, i) => run(order, prepared[i] ?? []))));
});
