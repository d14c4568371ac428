/**
 * A files-creator that costs next to nothing, in a process of its own: it takes every file at once, and then reports twice on
 * it, as the gateway is promised. What it received it hands over when it is told `{ take: n }`, as soon as that is `n` files.
 */
import { createServer, request as requestTo } from "node:http";
import type { AddressInfo } from "node:net";

const [gatewayPort, clientId = "", clientSecret = ""] = process.argv.slice(2);
const RECORDS = 1;

/** Wall clock of the first receipt, ms since the epoch, by file id. */
const receipts = new Map<string, number>();
let wanted: number | null = null;

function handOver(): void {
  if (wanted === null || receipts.size < wanted) return;
  process.send?.([...receipts]);
  receipts.clear();
  wanted = null;
}

function report(fileId: string, type: string, data: object): Promise<void> {
  const event = { id: `evt_${type}_${fileId}`, type, timestamp: new Date().toISOString() };
  return new Promise((resolve, reject) => {
    const sent = requestTo(
      {
        port: gatewayPort,
        host: "127.0.0.1",
        method: "POST",
        path: "/api/v1/events",
        headers: {
          "Content-Type": "application/json",
          "X-Client-ID": clientId,
          "X-Client-Secret": clientSecret,
        },
      },
      (answer) => {
        answer.resume().on("end", resolve);
        if (answer.statusCode !== 202) reject(new Error(`a report was answered ${answer.statusCode}`));
      },
    );
    sent
      .on("error", reject)
      .end(JSON.stringify({ ...event, data: { fileId, recordsTotal: RECORDS, ...data } }));
  });
}

const server = createServer((request, response) => {
  const at = performance.timeOrigin + performance.now();
  const fileId = String(request.headers["x-audit1-file-id"]);
  request.resume().on("end", async () => {
    response
      .writeHead(200, { "Content-Type": "application/json" })
      .end(JSON.stringify({ records_total: RECORDS }));
    if (!receipts.has(fileId)) receipts.set(fileId, at);
    handOver();
    await report(fileId, "file.validated", { status: "validated" });
    await report(fileId, "file.processed", {
      status: "processed",
      recordsProcessed: RECORDS,
      recordsFailed: 0,
    });
  });
});
server.listen(0, "127.0.0.1", () => process.send?.((server.address() as AddressInfo).port));

process.on("message", ({ take }: { take: number }) => {
  wanted = take;
  handOver();
});
process.once("disconnect", () => process.exit(0));
