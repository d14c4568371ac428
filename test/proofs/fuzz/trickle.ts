/** Slow senders: correctly signed reports that arrive a few bytes at a time. */
import { connect } from "node:net";
import type { Gateway, Sender } from "./gateway.ts";
import { inbound, sign } from "./outgoing.ts";

const REPORT_BYTES = 8 * 1024;
const PIECE_BYTES = 128;
const PAUSE_MS = 50;

/** Sends reports until `stopped` is aborted. Returns the file ids of accepted reports. Throws on any status but 202. */
export async function trickle(gateway: Gateway, sender: Sender, stopped: AbortSignal): Promise<string[]> {
  const accepted: string[] = [];
  while (!stopped.aborted) {
    const head = `{"policy_number":"SLOW${accepted.length}","employees":[{}],"note":"`;
    const body = Buffer.from(`${head}${"x".repeat(REPORT_BYTES - head.length - 2)}"}`);
    const answer = await sendSlowly(gateway.port, sender, body);
    const fileId = /"file_id":"([A-Z0-9_]+)"/.exec(answer)?.[1];
    if (!answer.startsWith("HTTP/1.1 202") || fileId === undefined)
      throw new Error(`a slow sender got: ${answer.slice(0, 300)}`);
    accepted.push(fileId);
  }
  return accepted;
}

async function sendSlowly(port: number, sender: Sender, body: Buffer): Promise<string> {
  const timestamp = String(Date.now());
  const head = [
    `POST ${inbound(sender)} HTTP/1.1`,
    "host: localhost",
    "connection: close",
    `content-length: ${body.byteLength}`,
    `x-webhook-timestamp: ${timestamp}`,
    `x-webhook-signature: ${sign(sender.secret, timestamp, body)}`,
  ].join("\r\n");
  const socket = connect(port, "127.0.0.1");
  let answer = "";
  socket.on("data", (data) => {
    answer += data.toString();
  });
  const ended = new Promise<void>((resolve, reject) => {
    socket.on("close", () => resolve());
    socket.on("error", reject);
  });
  socket.write(`${head}\r\n\r\n`);
  for (let at = 0; at < body.byteLength && !socket.destroyed; at += PIECE_BYTES) {
    socket.write(body.subarray(at, at + PIECE_BYTES));
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
  await ended;
  return answer;
}
