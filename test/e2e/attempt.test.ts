/** One exchange, in the real runtime, with receivers that do everything a receiver can do. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { SENT_BODY, type Sender, startSender } from "./attempt-worker.ts";
import {
  answerWith,
  deserted,
  misbehave,
  stopAll,
  withoutTls,
  withUnknownCertificate,
} from "./misbehaving.ts";

/** For receivers that never come to an end. */
const IMPATIENT = { timeoutMs: 500 };

/** Less than an invocation lasts here, and with it a connection that was left open. */
const PROMPTLY = { timeout: 10_000 };

let sender: Sender;
beforeAll(async () => {
  sender = await startSender();
});
afterAll(async () => {
  await sender.stop();
  stopAll();
});

function head(status: string, ...headers: string[]): string {
  return [`HTTP/1.1 ${status}`, "Connection: close", ...headers, "", ""].join("\r\n");
}

describe("an attempt", () => {
  it("is one POST with the given headers and the documented ones", async () => {
    const receiver = await misbehave(answerWith(head("200 OK"), "thanks"));
    expect(await sender.attempt(receiver.url)).toMatchObject({
      kind: "delivered",
      status: 200,
      answer: "thanks",
    });
    expect(receiver.requests()).toBe(1);
    const [lines = "", body] = receiver.received().split("\r\n\r\n");
    expect(body).toBe(SENT_BODY);
    const sent = lines.toLowerCase().split("\r\n");
    expect(sent).toEqual(
      expect.arrayContaining([
        "post /hook http/1.1",
        "content-type: application/json",
        "user-agent: audit1-webhooks/1",
        "x-custom: kept",
        "webhook-id: evt_1",
        `content-length: ${SENT_BODY.length}`,
      ]),
    );
  });

  it.each([
    ["an empty one", head("204 No Content"), { kind: "delivered", status: 204, answer: "" }],
    ["any of 2xx", head("299 Fine"), { kind: "delivered", status: 299 }],
    [
      "one after early hints",
      `HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n${head("200 OK")}ok`,
      { kind: "delivered", status: 200, answer: "ok" },
    ],
    [
      "a compressed one that is broken",
      `${head("200 OK", "Content-Encoding: gzip")}no gzip`,
      { kind: "delivered" },
    ],
    [
      "an error",
      `${head("500 Oops")}stack`,
      { kind: "status", status: 500, answer: "stack", retryAfterMs: null },
    ],
    ["a goodbye", head("410 Gone"), { kind: "status", status: 410 }],
    ["a request for patience", head("429 Slow", "Retry-After: 90"), { status: 429, retryAfterMs: 90_000 }],
    [
      "a date that is past",
      head("503 Busy", "Retry-After: Sun, 06 Nov 1994 08:49:37 GMT"),
      { status: 503, retryAfterMs: 0 },
    ],
    ["no status that there is", "HTTP/1.1 banana\r\n\r\n", { kind: "reset", status: null, answer: null }],
  ])("takes an answer as it is: %s", async (_, answer, expected) => {
    const receiver = await misbehave(answerWith(answer));
    expect(await sender.attempt(receiver.url)).toMatchObject(expected);
  });

  it("does not follow redirects", async () => {
    const elsewhere = await misbehave(answerWith(head("200 OK")));
    const receiver = await misbehave(answerWith(head("307 Elsewhere", `Location: ${elsewhere.url}`)));
    expect(await sender.attempt(receiver.url)).toMatchObject({ kind: "redirect", status: 307 });
    expect(elsewhere.requests()).toBe(0);
  });

  it("keeps the first kilobyte of an endless answer and ends the connection", PROMPTLY, async () => {
    const receiver = await misbehave((socket) => {
      socket.write(head("200 OK"));
      const more = () => {
        while (socket.writable && socket.write("x".repeat(65_536)));
      };
      socket.on("drain", more);
      more();
    });
    expect(await sender.attempt(receiver.url)).toMatchObject({
      kind: "delivered",
      answer: "x".repeat(1_024),
    });
    await receiver.ended;
  });

  it("makes text of any bytes, and leaves out a character that is cut in two", async () => {
    const bytes = await misbehave(answerWith(head("200 OK"), Buffer.from([0x6f, 0xff, 0x6b])));
    expect(await sender.attempt(bytes.url)).toMatchObject({ answer: "o\ufffdk" });
    const cut = await misbehave(answerWith(head("200 OK"), `${"x".repeat(1_023)}é`));
    expect(await sender.attempt(cut.url)).toMatchObject({ answer: "x".repeat(1_023) });
  });

  it(
    "is a success when a 2xx answer hangs or breaks off, and keeps the start of a long one",
    PROMPTLY,
    async () => {
      for (const [length, answer] of [
        [99, ""],
        [99_999, "half"],
      ] as const) {
        const hangs = await misbehave((socket) =>
          socket.write(`${head("200 OK", `Content-Length: ${length}`)}half`),
        );
        expect(await sender.attempt(hangs.url, IMPATIENT)).toMatchObject({ kind: "delivered", answer });
        await hangs.ended;
      }
      const breaks = await misbehave((socket) => {
        socket.write(`${head("200 OK", "Content-Length: 99")}half`, () => socket.resetAndDestroy());
      });
      expect(await sender.attempt(breaks.url)).toMatchObject({ kind: "delivered", status: 200 });
    },
  );

  it("keeps what arrived of a failure's answer that hangs", PROMPTLY, async () => {
    const hangs = await misbehave((socket) => socket.write(`${head("500 Oops", "Content-Length: 99")}half`));
    expect(await sender.attempt(hangs.url, IMPATIENT)).toMatchObject({ kind: "status", answer: "half" });
    await hangs.ended;
  });

  it("times out when no answer comes, or one that never ends its head", PROMPTLY, async () => {
    const silent = await misbehave(() => undefined);
    expect(await sender.attempt(silent.url, IMPATIENT)).toMatchObject({ kind: "timeout", status: null });
    await silent.ended;
    const trickles = await misbehave((socket) => {
      socket.write("HTTP/1.1 200 OK\r\n");
      const timer = setInterval(() => socket.write("X-More: 1\r\n"), 20);
      socket.on("close", () => clearInterval(timer));
    });
    expect(await sender.attempt(trickles.url, IMPATIENT)).toMatchObject({ kind: "timeout" });
    await trickles.ended;
  });

  it("reports how a connection failed", async () => {
    const resets = await misbehave((socket) => socket.resetAndDestroy());
    expect(await sender.attempt(resets.url)).toMatchObject({ kind: "reset", status: null, answer: null });
    const closes = await misbehave((socket) => socket.end());
    expect(await sender.attempt(closes.url)).toMatchObject({ kind: "reset" });
    expect(await sender.attempt(await deserted())).toMatchObject({ kind: "refused" });
    expect(await sender.attempt("https://nothing.example/hook")).toMatchObject({ kind: "dns" });
    expect(await sender.attempt(await withUnknownCertificate())).toMatchObject({ kind: "tls" });
    expect(await sender.attempt(await withoutTls())).toMatchObject({ kind: "tls" });
  });

  it.each(["127.0.0.1", "::1"])(
    "reaches a receiver at %s by localhost, once, and by its address",
    async (host) => {
      const receiver = await misbehave(answerWith(head("200 OK")), host);
      const { port } = new URL(receiver.url);
      for (const url of [`http://localhost:${port}/hook`, receiver.url])
        expect(await sender.attempt(url)).toMatchObject({ kind: "delivered", status: 200 });
      expect(receiver.requests()).toBe(2);
      const resets = await misbehave((socket) => socket.resetAndDestroy(), host);
      const local = `http://localhost:${new URL(resets.url).port}/hook`;
      expect(await sender.attempt(local)).toMatchObject({ kind: "reset" });
      expect(resets.requests()).toBe(1);
      expect(await sender.attempt(local, { allowInsecure: false })).toMatchObject({ kind: "blocked" });
    },
  );

  it("reports that nothing listens on localhost at any address", async () => {
    const { port } = new URL(await deserted());
    expect(await sender.attempt(`http://localhost:${port}/`)).toMatchObject({ kind: "refused" });
  });

  it("is blocked without a request if the address is not allowed", async () => {
    const receiver = await misbehave(answerWith(head("200 OK")));
    expect(await sender.attempt(receiver.url, { allowInsecure: false })).toMatchObject({
      kind: "blocked",
    });
    expect(await sender.attempt("https://169.254.169.254/latest")).toMatchObject({ kind: "blocked" });
    expect(receiver.requests()).toBe(0);
  });
});
