/**
 * The receiver of deliveries, in its own process. It responds at once, except after ten seconds on paths that begin with /hang. It
 * records when it first received each delivery that it responds to at once.
 */
import { createServer } from "node:http";
import { Kept } from "../server-process.ts";
import type { Receipt } from "./receiver.ts";

/** A little longer than the gateway waits for a response. */
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
