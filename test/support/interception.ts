/** Bindings whose calls can be watched, failed, delayed and hung: every call that leaves the Worker passes a hook. */

import type { Bindings } from "../../src/bindings.ts";
import { bounded } from "../../src/bounded.ts";
import { type Limits, REQUEST_LIMITS } from "../../src/deadline.ts";
import { bindings } from "./gateway.ts";

/**
 * `call` is the binding and the method that talks to it, such as `DB.all`, `CONNECTION_GATE.admit` or `ARCHIVE.put`.
 * `proceed` makes the call; a hook that does not call it keeps the binding from hearing of it.
 */
export type Hook = (call: string, proceed: () => Promise<unknown>, args: unknown[]) => Promise<unknown>;

type Method = (...args: unknown[]) => unknown;
type Talk = (method: string, proceed: () => unknown, args: unknown[]) => Promise<unknown>;

const QUERIES = new Set(["all", "first", "run", "raw", "batch", "exec"]);

/** The bindings of the tests with `hook` around every call. */
export function intercepted(hook: Hook, using: Bindings = bindings): Bindings {
  const talk =
    (name: string): Talk =>
    (method, proceed, args) =>
      hook(`${name}.${method}`, async () => proceed(), args);
  const { DB, CONNECTION_GATE, ARCHIVE, FILES, REFUSALS, FORWARDING_GOVERNOR } = using;
  const { DELIVERIES, DELIVERIES_SLOW, DELIVERIES_NEW, EMAIL } = using;
  return {
    ...using,
    DB: database(DB, talk("DB")),
    CONNECTION_GATE: namespace(CONNECTION_GATE, talk("CONNECTION_GATE")),
    FORWARDING_GOVERNOR: namespace(FORWARDING_GOVERNOR, talk("FORWARDING_GOVERNOR")),
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

/** Bindings of which those whose calls begin with one of `prefixes` are away. `times` ends the outage after so many calls. */
export function without(
  prefixes: string | string[],
  times = Number.POSITIVE_INFINITY,
  using: Bindings = bindings,
): Bindings {
  let left = times;
  return intercepted((call, proceed) => {
    if (![prefixes].flat().some((prefix) => call.startsWith(prefix)) || left-- <= 0) return proceed();
    return Promise.reject(outage("the binding is away: injected"));
  }, using);
}

/** An error as the platform gives it when a part is away. */
export function outage(message: string): Error {
  return Object.assign(new Error(message), { retryable: true });
}

/** Which deadline a binding's calls have. */
const LIMIT_OF: Record<string, keyof Limits> = {
  DB: "d1Ms",
  CONNECTION_GATE: "objectMs",
  FORWARDING_GOVERNOR: "objectMs",
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

/** As {@link without}, of bindings that never answer. Their deadlines are short. `took`: the call had its effect. */
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
  return bounded(never, shortened(list));
}

function shortened(prefixes: readonly string[]): Limits {
  const limits = { ...REQUEST_LIMITS };
  for (const prefix of prefixes) limits[LIMIT_OF[prefix.split(".")[0] ?? ""] ?? "d1Ms"] = SHORT_MS;
  return limits;
}

/** Bindings that write down every call, in order. */
export function watched(): { calls: string[]; using: Bindings } {
  const calls: string[] = [];
  const using = intercepted((call, proceed) => {
    calls.push(call);
    return proceed();
  });
  return { calls, using };
}

/** Every method talks. */
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

/** Sessions and statements are made without talking; queries talk. */
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
      // A stub takes every property for a method of its object, "then" too.
      if (name === "then") return undefined;
      const value: unknown = Reflect.get(target, name);
      if (typeof value !== "function" || typeof name !== "string") return value;
      return around(name, (...args) => Reflect.apply(value, target, args));
    },
  });
  targets.set(proxy, target);
  return proxy;
}
