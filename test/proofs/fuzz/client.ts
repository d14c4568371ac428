/** Sends well-formed requests and arbitrary bytes to the gateway on loopback, and times the responses. */
import { Agent, request as httpRequest } from "node:http";
import { connect } from "node:net";
import type { Outgoing } from "./outgoing.ts";

export interface Answered {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  text: string;
  ms: number;
}

const NO_ANSWER_MS = 60_000;
/** How long to wait for a response to bytes that are not a request. */
const RAW_PATIENCE_MS = 150;

export class Client {
  readonly #port: number;
  readonly #agent: Agent;

  constructor(port: number, sockets: number) {
    this.#port = port;
    this.#agent = new Agent({ keepAlive: true, maxSockets: sockets });
  }

  close(): void {
    this.#agent.destroy();
  }

  /** Rejects without a response. */
  send({ method, path, headers, body }: Outgoing): Promise<Answered> {
    const { promise, resolve, reject } = Promise.withResolvers<Answered>();
    const startedAt = performance.now();
    const request = httpRequest({
      host: "127.0.0.1",
      port: this.#port,
      agent: this.#agent,
      method,
      path,
      headers: { ...headers, ...(body !== null && { "content-length": body.byteLength }) },
      timeout: NO_ANSWER_MS,
    });
    request.on("response", (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk) => chunks.push(chunk));
      response.on("error", reject);
      response.on("end", () => {
        const text = Buffer.concat(chunks).toString();
        const ms = performance.now() - startedAt;
        resolve({ status: response.statusCode ?? 0, headers: response.headers, text, ms });
      });
    });
    request.on("timeout", () => request.destroy(new Error("no answer in a minute")));
    request.on("error", reject);
    request.end(body ?? undefined);
    return promise;
  }

  /** Writes `bytes`. Returns the statuses of all responses until the connection is closed or idle. */
  sendRaw(bytes: Buffer): Promise<number[]> {
    const { promise, resolve } = Promise.withResolvers<number[]>();
    let text = "";
    const socket = connect(this.#port, "127.0.0.1");
    const end = () => {
      socket.destroy();
      resolve([...text.matchAll(/^HTTP\/1\.1 (\d{3})/gm)].map(([, status]) => Number(status)));
    };
    socket.setTimeout(RAW_PATIENCE_MS, end);
    socket.on("data", (data) => {
      text += data.toString("latin1");
    });
    socket.on("error", end);
    socket.on("close", end);
    socket.write(bytes);
    return promise;
  }
}
