/**
 * Bindings whose calls all have a deadline. Handlers and objects wrap their bindings on entry, so that no call is forgotten. Nothing
 * else about a binding changes.
 */

import type { Bindings } from "./bindings.ts";
import { BACKGROUND_LIMITS, type Limits, REQUEST_LIMITS, r2DeadlineMs, withDeadline } from "./deadline.ts";

/** Added to the time that a caller of `wait` asked for. */
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

/** Returns the same object for the same bindings and limits. Bindings that are already bounded are returned unchanged. */
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

/** The original bindings of `env`. */
export function unbounded(env: Bindings): Bindings {
  return originals.get(env)?.env ?? env;
}

/** For calls on {@link unbounded} bindings, whose caller sets the deadline itself. */
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
    REQUEST_LOG: namespace(env.REQUEST_LOG, "REQUEST_LOG", limits),
    WATCH: namespace(env.WATCH, "WATCH", limits),
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
/** The time limit of one call. */
type LimitOf = (method: string, args: readonly unknown[]) => number;

/** An object or a binding whose methods are all bounded. */
function methods<T extends object>(target: T, name: string, limitOf: LimitOf): T {
  return intercepted(
    target,
    (method, call) =>
      (...args) =>
        withDeadline(`${name}.${method}`, limitOf(method, args), async () => call(...args)),
  );
}

/** Creating a stub is not a call; every method of a stub is. */
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
/** From a bounded statement to D1's own, which a batch needs. */
const statements = new WeakMap<object, object>();

/** Creating a session or a statement is not a call; a query is. */
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

/** The length of a stream is unknown, so the caller that puts one sets the deadline. */
function bucket(target: R2Bucket, limits: Limits): R2Bucket {
  return intercepted(target, (method, call) => async (...args) => {
    if (method === "put" && args[1] instanceof ReadableStream) return call(...args);
    const bytes = method === "put" ? sizeOf(args[1]) : 0;
    const ms = r2DeadlineMs(limits, bytes);
    const found = await withDeadline(`ARCHIVE.${method}`, ms, async () => call(...args));
    return method === "get" && found !== null ? body(found as R2ObjectBody, limits) : found;
  });
}

/** An object's metadata arrives before its bytes, so reading the bytes has a deadline of its own. */
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
      // A stub has a method for every name, including `then`.
      if (name === "then") return undefined;
      const value: unknown = Reflect.get(inner, name, inner);
      if (typeof value !== "function" || typeof name !== "string") return value;
      return replace(name, (...args) => Reflect.apply(value, inner, args));
    },
  });
}
