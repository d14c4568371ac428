/**
 * Reads a request's body into one piece, counted while it streams in: it stops at the limit, at the deadline, and waits
 * while the isolate holds as many body bytes as it can afford.
 */
import type { Bytes } from "../crypto/encoding.ts";
import type { BodyBudget } from "./body-budget.ts";

/** From the first byte asked for to the last. From the wire contract. */
export const BODY_TIMEOUT_MS = 30_000;

export type BodyRead =
  /** `signed` is the prefix and the body in one piece; `body` is a view of it. */
  | { ok: true; signed: Bytes; body: Bytes; release: () => void }
  | { ok: false; reason: "too_large" | "timeout" | "aborted" };

/**
 * `release` must be called when the bytes are no longer needed. On failure the rest of the stream is cancelled and
 * nothing is held.
 */
export async function readBody(
  stream: ReadableStream<Uint8Array> | null,
  prefix: Bytes,
  limitBytes: number,
  budget: BodyBudget,
  timeoutMs = BODY_TIMEOUT_MS,
): Promise<BodyRead> {
  const share = budget.open();
  if (stream === null)
    return {
      ok: true,
      signed: prefix,
      body: prefix.subarray(prefix.byteLength),
      release: () => share.close(),
    };
  const reader = stream.getReader();
  const deadline = Promise.withResolvers<"timeout">();
  const timer = setTimeout(deadline.resolve, timeoutMs, "timeout");
  const chunks: Uint8Array[] = [];
  let length = 0;
  const fail = async (reason: "too_large" | "timeout" | "aborted"): Promise<BodyRead> => {
    share.close();
    // The sender is gone or is being turned away: whether cancelling works changes nothing.
    await reader.cancel(reason).catch(() => undefined);
    return { ok: false, reason };
  };
  try {
    for (;;) {
      const next = await Promise.race([reader.read(), deadline.promise]);
      if (next === "timeout") return await fail("timeout");
      if (next.done) break;
      length += next.value.byteLength;
      if (length > limitBytes) return await fail("too_large");
      if ((await Promise.race([share.take(next.value.byteLength), deadline.promise])) === "timeout")
        return await fail("timeout");
      chunks.push(next.value);
    }
  } catch {
    return fail("aborted");
  } finally {
    clearTimeout(timer);
  }
  const signed = new Uint8Array(prefix.byteLength + length);
  signed.set(prefix);
  let offset = prefix.byteLength;
  for (const chunk of chunks) {
    signed.set(chunk, offset);
    offset += chunk.byteLength;
  }
  return { ok: true, signed, body: signed.subarray(prefix.byteLength), release: () => share.close() };
}
