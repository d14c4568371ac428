/**
 * A minimal files-creator in its own process: it accepts every file at once and then sends two reports on it, as the contract
 * says. It records when it first received each file.
 */
import { createServer, request as requestTo } from "node:http";
import { Kept } from "./server-process.ts";

export interface FileReceipt {
  fileId: string;
  /** Wall clock, ms since the epoch. */
  at: number;
}

const [gatewayPort, clientId = "", clientSecret = ""] = process.argv.slice(2);
const RECORDS = 1;

const receipts = new Kept<FileReceipt>();

function report(fileId: string, type: string, data: object): Promise<void> {
  const event = { id: `evt_${type.replace(".", "_")}_${fileId}`, type, timestamp: new Date().toISOString() };
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
        if (answer.statusCode !== 202) reject(new Error(`a report got ${answer.statusCode}`));
      },
    );
    sent
      .on("error", reject)
      .end(JSON.stringify({ ...event, data: { fileId, recordsTotal: RECORDS, ...data } }));
  });
}

receipts.serve(
  createServer((request, response) => {
    const at = performance.timeOrigin + performance.now();
    const fileId = String(request.headers["x-audit1-file-id"]);
    request.resume().on("end", async () => {
      response
        .writeHead(200, { "Content-Type": "application/json" })
        .end(JSON.stringify({ records_total: RECORDS }));
      receipts.add(fileId, { fileId, at });
      await report(fileId, "file.validated", { status: "validated" });
      await report(fileId, "file.processed", {
        status: "processed",
        recordsProcessed: RECORDS,
        recordsFailed: 0,
      });
    });
  }),
);
