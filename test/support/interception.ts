/** Bindings whose calls a test can watch, fail, delay or hang: every call that leaves the Worker passes through a hook. */

import { vi } from "vitest";
import type { Bindings } from "../../src/bindings.ts";
import { bounded } from "../../src/bounded.ts";
import { BACKGROUND_LIMITS, type Limits, REQUEST_LIMITS } from "../../src/deadline.ts";
import { bindings } from "./gateway.ts";

/**
 * `call` is the binding and its method, such as `DB.all`, `CONNECTION_GATE.admit` or `ARCHIVE.put`. `proceed` makes the call:
 * if the hook does not invoke it, the call never reaches the binding.
 */
export type Hook = (call: string, proceed: () => Promise<unknown>, args: unknown[]) => Promise<unknown>;

type Method = (...args: unknown[]) => unknown;
type Talk = (method: string, proceed: () => unknown, args: unknown[]) => Promise<unknown>;

const QUERIES = new Set(["all", "first", "run", "raw", "batch", "exec"]);

/** The tests' bindings, with `hook` around every call. */
export function intercepted(hook: Hook, using: Bindings = bindings): Bindings {
  const talk =
    (name: string): Talk =>
    (method, proceed, args) =>
      hook(`${name}.${method}`, async () => proceed(), args);
  const { DB, CONNECTION_GATE, ARCHIVE, FILES, REFUSALS, FORWARDING_GOVERNOR } = using;
  const { DELIVERIES, DELIVERIES_SLOW, DELIVERIES_NEW, EMAIL, REQUEST_LOG, WATCH } = using;
  return {
    ...using,
    DB: database(DB, talk("DB")),
    CONNECTION_GATE: namespace(CONNECTION_GATE, talk("CONNECTION_GATE")),
    FORWARDING_GOVERNOR: namespace(FORWARDING_GOVERNOR, talk("FORWARDING_GOVERNOR")),
    REQUEST_LOG: namespace(REQUEST_LOG, talk("REQUEST_LOG")),
    WATCH: namespace(WATCH, talk("WATCH")),
    ARCHIVE: every(ARCHIVE, talk("ARCHIVE")),
    FILES: every(FILES, talk("FILES")),
    DELIVERIES: every(DELIVERIES, talk("DELIVERIES")),
    DELIVERIES_SLOW: every(DELIVERIES_SLOW, talk("DELIVERIES_SLOW")),
    DELIVERIES_NEW: every(DELIVERIES_NEW, talk("DELIVERIES_NEW")),
    EMAIL: every(EMAIL, talk("EMAIL")),
    REFUSALS: every(REFUSALS, talk("REFUSALS")),
    ...(using.FILES_CREATOR && { FILES_CREATOR: every(using.FILES_CREATOR, talk("FILES_CREATOR")) }),
  };
}

/** Bindings with which every call that begins with one of `prefixes` rejects. The outage ends after `times` calls. */
export function without(
  prefixes: string | string[],
  times = Number.POSITIVE_INFINITY,
  using: Bindings = bindings,
): Bindings {
  let left = times;
  return intercepted((call, proceed) => {
    if (![prefixes].flat().some((prefix) => call.startsWith(prefix)) || left-- <= 0) return proceed();
    return Promise.reject(outage("injected: the binding is down"));
  }, using);
}

/** Bindings with which `between` runs once, before the first batch reaches the database: after the read that it rests on. */
export function racing(between: () => Promise<unknown>, using: Bindings = bindings): Bindings {
  let raced = false;
  return intercepted(async (call, proceed) => {
    if (call === "DB.batch" && !raced) {
      raced = true;
      await between();
    }
    return proceed();
  }, using);
}

/** An error like the platform's when a service is down. */
export function outage(message: string): Error {
  return Object.assign(new Error(message), { retryable: true });
}

/** The deadline of each binding's calls. */
const LIMIT_OF: Record<string, keyof Limits> = {
  DB: "d1Ms",
  CONNECTION_GATE: "objectMs",
  FORWARDING_GOVERNOR: "objectMs",
  REQUEST_LOG: "objectMs",
  WATCH: "objectMs",
  ARCHIVE: "r2Ms",
  FILES: "queueMs",
  DELIVERIES: "queueMs",
  DELIVERIES_SLOW: "queueMs",
  DELIVERIES_NEW: "queueMs",
  REFUSALS: "limiterMs",
  EMAIL: "mailMs",
};
/** Long enough for the calls of the same binding that do not hang. */
export const SHORT_MS = 400;
/** For a binding of which every call hangs. */
const SHORTEST_MS = 40;

/** As {@link without}, but the calls never settle. Their deadlines are short. With `took`, a call still takes effect. */
export function hanging(
  prefixes: string | string[],
  { times = Number.POSITIVE_INFINITY, using = bindings, took = false } = {},
): Bindings {
  const list = [prefixes].flat();
  let left = times;
  const never = intercepted(async (call, proceed) => {
    if (!list.some((prefix) => call.startsWith(prefix)) || left-- <= 0) return proceed();
    if (took) await proceed();
    return new Promise(() => undefined);
  }, using);
  return bounded(never, shortened(list, took || times !== Number.POSITIVE_INFINITY));
}

/** A deadline is the shortest if every call that has it hangs. */
function shortened(prefixes: readonly string[], someSettle: boolean): Limits {
  const limits = { ...REQUEST_LIMITS };
  for (const prefix of prefixes) {
    const kind = LIMIT_OF[prefix.split(".")[0] ?? ""] ?? "d1Ms";
    const allHang = Object.keys(LIMIT_OF).every((name) => LIMIT_OF[name] !== kind || prefixes.includes(name));
    limits[kind] = allHang && !someSettle ? SHORTEST_MS : SHORT_MS;
  }
  return limits;
}

/** Until mocks are restored, the deadlines of what objects and the cron call in the background are a second instead of ten. */
export function shortenBackgroundDeadlines(): void {
  const real = setTimeout as (callback: () => void, ms?: number) => ReturnType<typeof setTimeout>;
  const shortened = (callback: () => void, ms?: number) =>
    real(callback, ms === BACKGROUND_LIMITS.d1Ms ? 1_000 : ms);
  vi.spyOn(globalThis, "setTimeout").mockImplementation(shortened as typeof setTimeout);
}

/** Bindings that record every call, in order. */
export function watched(): { calls: string[]; using: Bindings } {
  const calls: string[] = [];
  const using = intercepted((call, proceed) => {
    calls.push(call);
    return proceed();
  });
  return { calls, using };
}

/** Every method call passes through the hook. */
function every<T extends object>(target: T, talk: Talk): T {
  return wrap(
    target,
    (name, method) =>
      (...args) =>
        talk(name, () => method(...args), args),
  );
}

function namespace<T extends object>(target: T, talk: Talk): T {
  return wrap(
    target,
    (_name, method) =>
      (...args) =>
        every(method(...args) as object, talk),
  );
}

/** Sessions and statements are created without the hook. Queries pass through it. */
function database<T extends object>(target: T, talk: Talk): T {
  return wrap(target, (name, method) => (...args) => {
    if (QUERIES.has(name)) return talk(name, () => method(...args.map(unwrapAll)), args);
    const made = method(...args);
    return typeof made === "object" && made !== null ? database(made, talk) : made;
  });
}

const targets = new WeakMap<object, object>();

function unwrapAll(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(unwrapAll);
  return typeof value === "object" && value !== null ? (targets.get(value) ?? value) : value;
}

function wrap<T extends object>(target: T, around: (name: string, method: Method) => Method): T {
  const proxy = new Proxy(target, {
    get(_, name) {
      // A stub returns a method for every property, also for "then".
      if (name === "then") return undefined;
      const value: unknown = Reflect.get(target, name);
      if (typeof value !== "function" || typeof name !== "string") return value;
      return around(name, (...args) => Reflect.apply(value, target, args));
    },
  });
  targets.set(proxy, target);
  return proxy;
}
