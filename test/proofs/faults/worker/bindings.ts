/**
 * Bindings that fail: a share of calls throws or hangs before or after it takes effect, with the errors of the platform's own
 * bindings. Every other call goes to the real binding.
 */
import type { Bindings } from "../../../../src/bindings.ts";
import { count, pause, random, strikes } from "./suffering.ts";

/** An invocation that dies after `callsLeft` calls. Its later calls have no effect. */
export interface Life {
  callsLeft: number;
}

type Part = "d1" | "r2" | "gate" | "breaker" | "send" | "mail" | "limiter";

const LONGEST_DELAY_MS = 300;
/** Longer than any deadline, but finite: the platform would end a request that can never settle. */
const HANG_MS = 25_000;
const ERRORS: Record<Part, () => Error> = {
  d1: () => new Error("D1_ERROR: Network connection lost."),
  r2: () => new Error("We encountered an internal error. Please try again. (10001)"),
  gate: () => Object.assign(new Error("Network connection lost."), { retryable: true }),
  breaker: () => Object.assign(new Error("Network connection lost."), { retryable: true }),
  send: () => new Error("Queue send failed: Internal Server Error"),
  limiter: () => new Error("the limiter is down"),
  mail: () => Object.assign(new Error("The mail was not delivered"), { code: "E_DELIVERY_FAILED" }),
};

const known = new WeakMap<object, Bindings>();

/** Returns the same object for the same `env`, because production code caches parsed settings per `env`. */
export function breaking(env: Bindings): Bindings {
  const made = known.get(env) ?? broken(env, null);
  known.set(env, made);
  return made;
}

export function broken(env: Bindings, life: Life | null): Bindings {
  return {
    ...env,
    DB: database(env.DB, life),
    ARCHIVE: methods(env.ARCHIVE, "r2", ["get", "put", "delete", "head"], life),
    FILES: methods(env.FILES, "send", ["send", "sendBatch"], life),
    DELIVERIES: methods(env.DELIVERIES, "send", ["send", "sendBatch"], life),
    DELIVERIES_SLOW: methods(env.DELIVERIES_SLOW, "send", ["send", "sendBatch"], life),
    DELIVERIES_NEW: methods(env.DELIVERIES_NEW, "send", ["send", "sendBatch"], life),
    EMAIL: methods(env.EMAIL, "mail", ["send"], life),
    CONNECTION_GATE: namespace(env.CONNECTION_GATE, "gate", life),
    FORWARDING_GOVERNOR: namespace(env.FORWARDING_GOVERNOR, "breaker", life),
    REQUEST_LOG: namespace(env.REQUEST_LOG, "gate", life),
    WATCH: namespace(env.WATCH, "gate", life),
    REFUSALS: methods(env.REFUSALS, "limiter", ["limit"], life),
  };
}

async function risky<T>(part: Part, life: Life | null, call: () => Promise<T>): Promise<T> {
  if (life !== null && --life.callsLeft < 0) throw ERRORS[part]();
  if (strikes("slow")) await pause(random() * LONGEST_DELAY_MS);
  if (strikes("hang")) {
    if (random() < 0.5) await call();
    await pause(HANG_MS);
    throw ERRORS[part]();
  }
  if (!strikes(part)) return call();
  if (random() < 0.5) throw ERRORS[part]();
  await call();
  count(`${part}, after it took effect`);
  throw ERRORS[part]();
}

function methods<T extends object>(binding: T, part: Part, names: readonly string[], life: Life | null): T {
  return intercepted(binding, (name, call) =>
    names.includes(name) ? (...args) => risky(part, life, async () => call(...args)) : call,
  );
}

/** Wraps every method of every stub. */
function namespace<T extends object>(binding: T, part: Part, life: Life | null): T {
  return intercepted(binding, (name, call) => {
    if (name !== "getByName" && name !== "get") return call;
    return (...args) =>
      intercepted(
        call(...args) as object,
        (_, method) =>
          (...given) =>
            risky(part, life, async () => method(...given)),
      );
  });
}

/** Statements are wrapped when they run. A batch gets the real ones. */
function database<T extends D1Database | D1DatabaseSession>(db: T, life: Life | null): T {
  const real = new WeakMap<object, D1PreparedStatement>();
  const statement = (inner: D1PreparedStatement): D1PreparedStatement => {
    const wrapped = intercepted(inner, (name, call) => {
      if (name === "bind") return (...args) => statement(call(...args) as D1PreparedStatement);
      return (...args) => risky("d1", life, async () => call(...args));
    });
    real.set(wrapped, inner);
    return wrapped;
  };
  return intercepted(db, (name, call) => {
    if (name === "prepare") return (...args) => statement(call(...args) as D1PreparedStatement);
    if (name === "withSession") return (...args) => database(call(...args) as D1DatabaseSession, life);
    if (name !== "batch") return call;
    return (list) =>
      risky("d1", life, async () => call((list as object[]).map((item) => real.get(item) ?? item)));
  });
}

type Method = (...args: unknown[]) => unknown;

function intercepted<T extends object>(target: T, replace: (name: string, call: Method) => Method): T {
  return new Proxy(target, {
    get(inner, name) {
      // A stub returns a method for every property, also for `then`.
      if (name === "then") return undefined;
      const value: unknown = Reflect.get(inner, name, inner);
      if (typeof value !== "function" || typeof name !== "string") return value;
      return replace(name, (...args) => Reflect.apply(value, inner, args));
    },
  });
}
