/**
 * The receiver of deliveries, in a process of its own. It answers at once, but on paths that begin with /hang: there after ten
 * seconds. It keeps when it first received each delivery it answers at once.
 */
import { createServer } from "node:http";
import { Kept } from "../server-process.ts";
import type { Receipt } from "./receiver.ts";

/** As long as the gateway waits for an answer, and a little longer. */
const HANG_MS = 10_000;
const ANSWER = JSON.stringify({ received: true });

const receipts = new Kept<Receipt>();

receipts.serve(
  createServer((request, response) => {
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
      receipts.add(`${path} ${eventId}`, { path, eventId, at });
    });
  }),
);
