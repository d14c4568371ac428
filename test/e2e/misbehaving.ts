/** Receivers on loopback that answer byte by byte as a test wants, and one with a certificate that nobody knows. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync } from "node:fs";
import { createServer as createTlsServer } from "node:https";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";

export interface Misbehaving {
  url: string;
  /** What was sent to it on the last connection, as text. */
  received(): string;
  /** Connections on which something was said. */
  requests(): number;
  /** Resolves when the sender has ended a connection. */
  ended: Promise<void>;
}

const servers: Server[] = [];

/** `answer` is called once a whole request has come to `host`. */
export async function misbehave(answer: (socket: Socket) => void, host = "127.0.0.1"): Promise<Misbehaving> {
  let text = "";
  let requests = 0;
  let end: () => void;
  const ended = new Promise<void>((resolve) => {
    end = resolve;
  });
  const server = createServer((socket) => {
    text = "";
    // The sender may end a connection in the middle: that is what some of the tests are about.
    socket.on("error", () => undefined);
    socket.on("close", () => end());
    socket.on("data", (chunk) => {
      text += chunk.toString("latin1");
      if (!text.includes("\r\n\r\n{") || !text.endsWith("}")) return;
      requests++;
      answer(socket);
    });
  });
  const port = await listening(server, host);
  const url = `http://${host.includes(":") ? `[${host}]` : host}:${port}/hook`;
  return { url, received: () => text, requests: () => requests, ended };
}

/** Answers with these pieces and then ends the connection. */
export function answerWith(...pieces: (string | Buffer)[]): (socket: Socket) => void {
  return (socket) => {
    for (const piece of pieces) socket.write(piece);
    socket.end();
  };
}

export async function withUnknownCertificate(): Promise<string> {
  const folder = mkdtempSync(path.join(tmpdir(), "certificate-"));
  const [key, cert] = [path.join(folder, "key.pem"), path.join(folder, "cert.pem")];
  const made = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"];
  execFileSync("openssl", [...made, "-keyout", key, "-out", cert], { stdio: "ignore" });
  const server = createTlsServer({ key: readFileSync(key), cert: readFileSync(cert) }, (_, response) => {
    response.end();
  });
  return `https://localhost:${await listening(server)}/hook`;
}

/** An https address that answers in plain HTTP. */
export async function withoutTls(): Promise<string> {
  const server = createServer((socket) => {
    socket.on("error", () => undefined);
    socket.once("data", () => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n"));
  });
  return `https://127.0.0.1:${await listening(server)}/hook`;
}

/** An address on which nothing listens any more. */
export async function deserted(): Promise<string> {
  const server = createServer();
  const port = await listening(server);
  await new Promise((resolve) => server.close(resolve));
  return `http://127.0.0.1:${port}/hook`;
}

export function stopAll(): void {
  for (const server of servers) server.close();
}

function listening(server: Server, host = "127.0.0.1"): Promise<number> {
  servers.push(server);
  return new Promise((resolve) => {
    server.listen(0, host, () => resolve((server.address() as AddressInfo).port));
  });
}
