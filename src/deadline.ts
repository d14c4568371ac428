/**
 * Deadlines for calls that leave the isolate. A binding that never answers counts as one that failed: whoever waits gets
 * a {@link DeadlineExceeded}. The call itself cannot be taken back, and may still take effect.
 */

const MIB = 1024 ** 2;

/** Milliseconds that each kind of binding has for one call. */
export interface Limits {
  d1Ms: number;
  /** Any durable object. */
  objectMs: number;
  /** A call that moves no bytes. */
  r2Ms: number;
  /** Added for each MiB that a call to R2 moves: a slow put of a large report is not a hang. */
  r2MsPerMib: number;
  queueMs: number;
  limiterMs: number;
  mailMs: number;
  /** For the answer to a report that is handed over. From the wire contract. */
  filesCreatorMs: number;
}

/** While a caller waits for an answer. From the wire contract. */
export const REQUEST_LIMITS: Limits = {
  d1Ms: 2_000,
  objectMs: 3_000,
  r2Ms: 5_000,
  r2MsPerMib: 1_000,
  queueMs: 3_000,
  limiterMs: 2_000,
  mailMs: 10_000,
  filesCreatorMs: 30_000,
};

/** In consumers, the cron and alarms: a step that was cut short is due again, so these only bound an invocation. */
export const BACKGROUND_LIMITS: Limits = {
  d1Ms: 10_000,
  objectMs: 10_000,
  r2Ms: 10_000,
  r2MsPerMib: 1_000,
  queueMs: 10_000,
  limiterMs: 2_000,
  mailMs: 10_000,
  filesCreatorMs: 30_000,
};

/** How long a call to R2 may take that moves so many bytes. */
export function r2DeadlineMs({ r2Ms, r2MsPerMib }: Limits, bytes: number): number {
  return r2Ms + Math.ceil((bytes * r2MsPerMib) / MIB);
}

export class DeadlineExceeded extends Error {
  override readonly name = "DeadlineExceeded";
  /** The binding and its method, such as `DB.all`. */
  readonly call: string;

  constructor(call: string, ms: number) {
    super(`${call} gave no answer within ${ms} ms`);
    this.call = call;
  }
}

/** Settles as `work` does, or rejects with {@link DeadlineExceeded} after `ms`. What `work` does later is ignored. */
export function withDeadline<T>(call: string, ms: number, work: () => PromiseLike<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new DeadlineExceeded(call, ms)), ms);
    const failed = (error: unknown) => {
      clearTimeout(timer);
      reject(error);
    };
    try {
      work().then((value) => {
        clearTimeout(timer);
        resolve(value);
      }, failed);
    } catch (error) {
      failed(error);
    }
  });
}

/** What the platform says of a failed call, as far as it matters here. */
interface PlatformError {
  retryable?: boolean;
  overloaded?: boolean;
  durableObjectReset?: boolean;
}

/** What the platform's bindings say without any mark when a part is away. */
const OUTAGE_MESSAGES = /^(Network connection lost|internal error)/i;
/** How an object says that this code is too old for it. Messages are all of an exception that leaves an object. */
export const NEWER_CODE_NEEDED = "deploy newer code";
/** D1's messages end in SQLite's code where the statement itself is at fault. */
const FAULTY_STATEMENT = /SQLITE_(ERROR|CONSTRAINT|MISMATCH|MISUSE|RANGE|TOOBIG|AUTH)/;

/**
 * Whether a part gave no answer, so that the same call may succeed later. A bug is not an outage: neither an exception
 * inside an object, which arrives with `remote` alone, nor a statement that D1 cannot run.
 */
export function isOutage(error: unknown): boolean {
  if (error instanceof DeadlineExceeded) return true;
  if (!(error instanceof Error)) return false;
  const { retryable, overloaded, durableObjectReset } = error as PlatformError;
  if (retryable === true || overloaded === true || durableObjectReset === true) return true;
  if (error.message.startsWith("D1_")) return !FAULTY_STATEMENT.test(error.message);
  return OUTAGE_MESSAGES.test(error.message) || error.message.endsWith(NEWER_CODE_NEEDED);
}
