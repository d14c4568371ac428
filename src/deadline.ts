/**
 * Deadlines for calls that leave the isolate. A binding that does not answer in time counts as failed: the caller gets a
 * {@link DeadlineExceeded}. The call itself cannot be cancelled and may still take effect.
 */

const MIB = 1024 ** 2;

/** The time limits of one call, in milliseconds, per kind of binding. */
export interface Limits {
  d1Ms: number;
  /** Any Durable Object. */
  objectMs: number;
  /** A call that transfers no bytes. */
  r2Ms: number;
  /** Added per MiB that a call to R2 transfers: a slow put of a large report is not a hang. */
  r2MsPerMib: number;
  queueMs: number;
  limiterMs: number;
  mailMs: number;
  /** For the files-creator's response to a file. From the wire contract. */
  filesCreatorMs: number;
}

/** While a caller waits for a response. From the wire contract. */
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

/** In consumers, the cron and alarms. A step that was cut short is due again, so these limits only bound the invocation. */
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

/** The time limit of a call to R2 that transfers `bytes`. */
export function r2DeadlineMs({ r2Ms, r2MsPerMib }: Limits, bytes: number): number {
  return r2Ms + Math.ceil((bytes * r2MsPerMib) / MIB);
}

export class DeadlineExceeded extends Error {
  override readonly name = "DeadlineExceeded";
  /** The binding and its method, such as `DB.all`. */
  readonly call: string;

  constructor(call: string, ms: number) {
    super(`${call} did not respond within ${ms} ms`);
    this.call = call;
  }
}

/** Settles like `work`, or rejects with {@link DeadlineExceeded} after `ms`. A later result of `work` is ignored. */
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

/** The marks that the platform puts on the error of a failed call. */
interface PlatformError {
  retryable?: boolean;
  overloaded?: boolean;
  durableObjectReset?: boolean;
}

/** Messages of the platform's bindings during an outage, on errors without a mark. */
const OUTAGE_MESSAGES = /^(Network connection lost|internal error)/i;
/** Ends the message of an object that was written by newer code. Only the message of an exception leaves an object. */
export const NEWER_CODE_NEEDED = "deploy newer code";
/** D1's messages end with SQLite's code if the statement itself is at fault. */
const FAULTY_STATEMENT = /SQLITE_(ERROR|CONSTRAINT|MISMATCH|MISUSE|RANGE|TOOBIG|AUTH)/;

/**
 * Whether the error is an outage, so that the same call may succeed later. A bug is not an outage: neither an exception inside an
 * object, which is marked `remote` only, nor a statement that D1 cannot run.
 */
export function isOutage(error: unknown): boolean {
  if (error instanceof DeadlineExceeded) return true;
  if (!(error instanceof Error)) return false;
  const { retryable, overloaded, durableObjectReset } = error as PlatformError;
  if (retryable === true || overloaded === true || durableObjectReset === true) return true;
  if (error.message.startsWith("D1_")) return !FAULTY_STATEMENT.test(error.message);
  return OUTAGE_MESSAGES.test(error.message) || error.message.endsWith(NEWER_CODE_NEEDED);
}
