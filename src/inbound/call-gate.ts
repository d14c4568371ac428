/** Calls to a gate, whose methods are idempotent per file id. */
import { isOutage } from "../deadline.ts";
import type { ConnectionGate } from "../gate/connection-gate.ts";
import { logError } from "../log.ts";

/** Makes a new stub: a stub that met a reset of its object fails from then on. */
export type GateStub = () => DurableObjectStub<ConnectionGate>;

/**
 * Calls a gate, and retries once if it did not respond. The result is null if both calls failed. `retried`: the first
 * call may have taken effect as well. Rejects for a bug in the gate, which a retry would only meet again.
 */
export async function withOneRetry<T>(
  call: () => Promise<T>,
  fileId: string,
): Promise<{ answer: T | null; retried: boolean }> {
  for (const attempt of [1, 2]) {
    try {
      return { answer: await call(), retried: attempt > 1 };
    } catch (error) {
      if (!isOutage(error)) throw error;
      logError("failed to call a gate", { file_id: fileId, attempt }, error);
    }
  }
  return { answer: null, retried: true };
}
