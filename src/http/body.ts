/**
 * Reads a request's body into one piece. Reading stops at the size limit and at the deadline, and waits while the isolate
 * holds as many body bytes as its budget allows. A sender that is too slow while others wait is cut off.
 */
import { type Bytes, discard } from "../crypto/encoding.ts";
import { err, ok, type Result } from "../result.ts";
import type { BodyBudget, BodyKind, Share } from "./body-budget.ts";
import type { Failure } from "./failure.ts";

/** The time for the whole body, from the first read to the last. From the wire contract. */
export const BODY_TIMEOUT_MS = 30_000;

/** Bodies with a `Content-Length` up to this are read in one call, for a third of the CPU time. */
const READ_AT_ONCE_BYTES = 64 * 1024;
/**
 * Larger bodies are read in pieces, each twice as large as the previous one. A buffer is allocated before its bytes arrive
 * and charged after, so a sender that has sent little can occupy little more. The platform's own pieces have 4 KiB.
 */
const FIRST_PIECE_BYTES = 4 * 1024;
const LARGEST_PIECE_BYTES = 64 * 1024;

type Unread = "too_large" | "timeout" | "aborted";

export interface ReadBody {
  /** The prefix and the body in one piece. */
  signed: Bytes;
  /** A view of `signed`. */
  body: Bytes;
  /** The caller must call this when it no longer needs the bytes. It frees them and their share of the budget. */
  release: () => void;
}

/** A request or a response. */
export type BodySource = Pick<Request, "body" | "arrayBuffer">;

/**
 * `declaredBytes` is the `Content-Length`, null without one. On failure the rest of the stream is cancelled and nothing is
 * held.
 */
export async function readBody(
  source: BodySource,
  prefix: Bytes,
  limitBytes: number,
  budget: BodyBudget,
  timeoutMs = BODY_TIMEOUT_MS,
  declaredBytes: number | null = null,
  kind: BodyKind = "report",
): Promise<Result<ReadBody, Unread>> {
  const small = declaredBytes !== null && declaredBytes <= READ_AT_ONCE_BYTES;
  const stream = small ? null : source.body;
  if (!small && stream === null)
    return ok({ signed: prefix, body: prefix.subarray(prefix.byteLength), release: () => undefined });
  const deadline = Promise.withResolvers<"timeout">();
  const share = budget.open(() => deadline.resolve("timeout"), kind);
  const reader = stream === null ? readerAtOnce(source) : readerInPieces(stream);
  const timer = setTimeout(deadline.resolve, timeoutMs, "timeout");
  const chunks: Bytes[] = [];
  let length = 0;
  const fail = async (reason: Unread): Promise<Result<never, Unread>> => {
    share.close();
    // The sender has hung up or is being cut off, so it does not matter whether cancelling succeeds.
    await reader.cancel(reason).catch(() => undefined);
    return err(reason);
  };
  /** False if there was no room before the deadline. */
  const hold = async (upTo: number): Promise<boolean> => {
    const room = share.acquire(Math.max(0, upTo - share.held));
    return room === undefined || (await Promise.race([deadline.promise, room])) !== "timeout";
  };
  try {
    // The platform collects the whole body before it returns, so the bytes are charged up front.
    if (small && !(await hold(declaredBytes))) return await fail("timeout");
    for (;;) {
      const next = await Promise.race([deadline.promise, reader.read()]);
      if (next === "timeout") return await fail("timeout");
      if (next.done || next.value === undefined) break;
      length += next.value.byteLength;
      if (length > limitBytes) return await fail("too_large");
      if (!(await hold(length))) return await fail("timeout");
      chunks.push(next.value as Bytes);
      if (stream === null) break;
    }
  } catch {
    return fail("aborted");
  } finally {
    clearTimeout(timer);
  }
  share.readAt = Date.now();
  const signed = new Uint8Array(prefix.byteLength + length);
  signed.set(prefix);
  let offset = prefix.byteLength;
  for (const chunk of chunks) {
    signed.set(chunk, offset);
    offset += chunk.byteLength;
    if (reader.owned) discard(chunk);
  }
  const release = () => {
    discard(signed);
    share.close();
  };
  return ok({ signed, body: signed.subarray(prefix.byteLength), release });
}

/** The failure for a body that could not be read. */
export function bodyFailure(reason: Unread, limitBytes: number): Failure {
  if (reason === "too_large") return { kind: "payload_too_large", limitBytes };
  return { kind: "body_timeout" };
}

/** A body that is processed while it arrives: only the unprocessed bytes are charged. */
export class StreamedBody {
  readonly #stream: ReadableStream<Uint8Array>;
  readonly #share: Share;
  readonly #turnedAway = Promise.withResolvers<"timeout">();
  /** The size of the piece that was read last. */
  #pieceBytes = 0;

  constructor(stream: ReadableStream<Uint8Array>, budget: BodyBudget, kind: BodyKind) {
    this.#stream = stream;
    this.#share = budget.open(() => this.#turnedAway.resolve("timeout"), kind);
  }

  /** May be read once. Rejects if the sender hangs up, sends nothing for `idleMs`, or is cut off in favour of others. */
  async *pieces(idleMs = BODY_TIMEOUT_MS): AsyncGenerator<Uint8Array, void> {
    const reader = this.#stream.getReader();
    try {
      for (;;) {
        const idle = Promise.withResolvers<"timeout">();
        const timer = setTimeout(idle.resolve, idleMs, "timeout");
        const next = await Promise.race([this.#turnedAway.promise, idle.promise, reader.read()]).finally(() =>
          clearTimeout(timer),
        );
        if (next === "timeout") throw new Error("the body did not arrive in time");
        if (next.done) return;
        await this.#share.acquire(next.value.byteLength);
        this.#pieceBytes = next.value.byteLength;
        yield next.value;
      }
    } finally {
      this.#share.close();
      // The sender is done, has hung up or was cut off, so it does not matter whether cancelling succeeds.
      await reader.cancel("reading stopped").catch(() => undefined);
    }
  }

  /** Releases everything that was read before the current piece. */
  settle(): void {
    this.#share.giveBackTo(this.#pieceBytes);
  }
}

interface BodyReader {
  read(): Promise<{ done: boolean; value?: Uint8Array | undefined }>;
  cancel(reason: string): Promise<void>;
  /** Whether the reader allocated the bytes itself, so they may be discarded. */
  owned: boolean;
}

/** Reads the whole body as its only chunk. An unfinished read ends with the request, so cancelling does nothing. */
function readerAtOnce(source: BodySource): BodyReader {
  return {
    async read() {
      return { done: false, value: new Uint8Array(await source.arrayBuffer()) };
    },
    cancel: () => Promise.resolve(),
    owned: true,
  };
}

/** Reads into buffers of its own if the stream allows it, as every request's stream does. */
function readerInPieces(stream: ReadableStream<Uint8Array>): BodyReader {
  let reader: ReadableStreamBYOBReader;
  try {
    reader = stream.getReader({ mode: "byob" });
  } catch {
    const chunks = stream.getReader();
    return { read: () => chunks.read(), cancel: (reason) => chunks.cancel(reason), owned: false };
  }
  let pieceBytes = FIRST_PIECE_BYTES;
  return {
    read() {
      const piece = new Uint8Array(pieceBytes);
      pieceBytes = Math.min(2 * pieceBytes, LARGEST_PIECE_BYTES);
      return reader.readAtLeast(piece.byteLength, piece);
    },
    cancel: (reason) => reader.cancel(reason),
    owned: true,
  };
}
