/**
 * The bindings, each call with a deadline. Handlers and objects are given these at their entrance, so that no call can be
 * forgotten. Nothing else about a binding changes.
 */
import { BACKGROUND_LIMITS, type Limits, REQUEST_LIMITS, r2DeadlineMs, withDeadline } from "./deadline.ts";
import type { Bindings } from "./env.ts";

/** What a caller that asked to wait is given beside the time it named. */
const WAIT_MARGIN_MS = 1_000;

const bounds = new WeakMap<Limits, WeakMap<object, Bindings>>();
const originals = new WeakMap<object, { env: Bindings; limits: Limits }>();

/** The bindings for one request: see {@link REQUEST_LIMITS}. */
export function boundedForRequests(env: Bindings): Bindings {
  return bounded(env, REQUEST_LIMITS);
}

/** The bindings for consumers, the cron and alarms: see {@link BACKGROUND_LIMITS}. */
export function boundedForBackground(env: Bindings): Bindings {
  return bounded(env, BACKGROUND_LIMITS);
}

/** The same answer for the same bindings and limits. Bindings that are bounded already stay as they are. */
export function bounded(env: Bindings, limits: Limits): Bindings {
  if (originals.has(env)) return env;
  const known = bounds.get(limits) ?? new WeakMap<object, Bindings>();
  bounds.set(limits, known);
  const before = known.get(env);
  if (before !== undefined) return before;
  const made = bound(env, limits);
  known.set(env, made);
  originals.set(made, { env, limits });
  return made;
}

/** The bindings that `env` was made from. */
export function unbounded(env: Bindings): Bindings {
  return originals.get(env)?.env ?? env;
}

/** For calls that a caller bounds itself, on {@link unbounded} bindings. */
export function limitsOf(env: Bindings): Limits {
  return originals.get(env)?.limits ?? REQUEST_LIMITS;
}

function bound(env: Bindings, limits: Limits): Bindings {
  const { d1Ms, queueMs, limiterMs, mailMs } = limits;
  return {
    ...env,
    DB: database(env.DB, d1Ms),
    CONNECTION_GATE: namespace(env.CONNECTION_GATE, "CONNECTION_GATE", limits),
    FORWARDING_GOVERNOR: namespace(env.FORWARDING_GOVERNOR, "FORWARDING_GOVERNOR", limits),
    ARCHIVE: bucket(env.ARCHIVE, limits),
    FILES: methods(env.FILES, "FILES", () => queueMs),
    DELIVERIES: methods(env.DELIVERIES, "DELIVERIES", () => queueMs),
    DELIVERIES_SLOW: methods(env.DELIVERIES_SLOW, "DELIVERIES_SLOW", () => queueMs),
    DELIVERIES_NEW: methods(env.DELIVERIES_NEW, "DELIVERIES_NEW", () => queueMs),
    REFUSALS: methods(env.REFUSALS, "REFUSALS", () => limiterMs),
    EMAIL: methods(env.EMAIL, "EMAIL", () => mailMs),
  };
}

type Method = (...args: unknown[]) => unknown;
/** How long one call may take. */
type LimitOf = (method: string, args: readonly unknown[]) => number;

/** Every method of an object or a binding, bounded. */
function methods<T extends object>(target: T, name: string, limitOf: LimitOf): T {
  return intercepted(
    target,
    (method, call) =>
      (...args) =>
        withDeadline(`${name}.${method}`, limitOf(method, args), async () => call(...args)),
  );
}

/** Stubs are made without a call; every method of theirs is one. */
function namespace<T extends object>(target: T, name: string, { objectMs }: Limits): T {
  const limitOf: LimitOf = (method, args) =>
    method === "wait" ? Number(args[1]) + WAIT_MARGIN_MS : objectMs;
  return intercepted(target, (method, call) =>
    method === "getByName" || method === "get"
      ? (...args) => methods(call(...args) as object, name, limitOf)
      : call,
  );
}

const QUERIES = new Set(["all", "first", "run", "raw", "exec"]);
/** What a bounded statement stands for: a batch takes D1's own. */
const statements = new WeakMap<object, object>();

/** Sessions and statements are made without a call; queries are calls. */
function database<T extends object>(target: T, ms: number): T {
  const made = intercepted(target, (method, call) => {
    if (method === "batch")
      return (list) =>
        withDeadline("DB.batch", ms, async () =>
          call((list as object[]).map((statement) => statements.get(statement) ?? statement)),
        );
    if (QUERIES.has(method)) return (...args) => withDeadline(`DB.${method}`, ms, async () => call(...args));
    return (...args) => {
      const inner = call(...args);
      return typeof inner === "object" && inner !== null ? database(inner, ms) : inner;
    };
  });
  statements.set(made, target);
  return made;
}

/** A stream tells nothing of its length: whoever puts one bounds it. */
function bucket(target: R2Bucket, limits: Limits): R2Bucket {
  return intercepted(target, (method, call) => async (...args) => {
    if (method === "put" && args[1] instanceof ReadableStream) return call(...args);
    const bytes = method === "put" ? sizeOf(args[1]) : 0;
    const ms = r2DeadlineMs(limits, bytes);
    const found = await withDeadline(`ARCHIVE.${method}`, ms, async () => call(...args));
    return method === "get" && found !== null ? body(found as R2ObjectBody, limits) : found;
  });
}

/** The head of an object arrives before its bytes, which may hang on their own. */
function body(object: R2ObjectBody, limits: Limits): R2ObjectBody {
  const { range, size } = object;
  const length = range !== undefined && "length" in range ? (range.length ?? size) : size;
  return methods(object, "ARCHIVE.get", () => r2DeadlineMs(limits, length));
}

function sizeOf(value: unknown): number {
  if (value instanceof ArrayBuffer || ArrayBuffer.isView(value)) return value.byteLength;
  return typeof value === "string" ? value.length : 0;
}

function intercepted<T extends object>(target: T, replace: (name: string, call: Method) => Method): T {
  return new Proxy(target, {
    get(inner, name) {
      // Stubs answer every name with a method, `then` too.
      if (name === "then") return undefined;
      const value: unknown = Reflect.get(inner, name, inner);
      if (typeof value !== "function" || typeof name !== "string") return value;
      return replace(name, (...args) => Reflect.apply(value, inner, args));
    },
  });
}
