/**
 * The receiver of deliveries, in a process of its own. It answers at once, but on paths that begin with /hang: there after ten
 * seconds. Told `{ take: n }` it hands over what it received, as soon as that is `n` deliveries, and forgets it.
 */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { Receipt } from "./receiver.ts";

/** As long as the gateway waits for an answer, and a little longer. */
const HANG_MS = 10_000;
const ANSWER = JSON.stringify({ received: true });

/** By path and event: a delivery that comes twice is one. */
const receipts = new Map<string, Receipt>();
let wanted: number | null = null;

function handOver(): void {
  if (wanted === null || receipts.size < wanted) return;
  process.send?.([...receipts.values()]);
  receipts.clear();
  wanted = null;
}

const server = createServer((request, response) => {
  const at = performance.timeOrigin + performance.now();
  const { url: path = "", headers } = request;
  request.resume();
  request.on("end", () => {
    const answer = () => response.writeHead(200, { "content-type": "application/json" }).end(ANSWER);
    if (path.startsWith("/hang")) {
      setTimeout(answer, HANG_MS);
      return;
    }
    answer();
    // The floor gives its posts no names.
    const eventId = String(headers["webhook-id"] ?? receipts.size);
    const name = `${path} ${eventId}`;
    if (!receipts.has(name)) receipts.set(name, { path, eventId, at });
    handOver();
  });
});
server.listen(0, "127.0.0.1", () => process.send?.((server.address() as AddressInfo).port));

process.on("message", ({ take }: { take: number }) => {
  wanted = take;
  handOver();
});
process.once("disconnect", () => process.exit(0));
