/** Bindings that fail at one chosen call, so that a consumer fails or dies between any two of its steps. */

import type { Bindings } from "../../src/bindings.ts";
import { bounded } from "../../src/bounded.ts";
import { BACKGROUND_LIMITS } from "../../src/deadline.ts";
import { outage, SHORT_MS } from "./interception.ts";

export interface Fault {
  /** The position of the call that fails, counted from 1. */
  call: number;
  /** Whether the call took effect before its result was lost. */
  took: "before it took effect" | "after it took effect";
  /** Whether the call rejects, or never settles. */
  how: "throws" | "pends";
  /** Whether every later call is lost too. */
  then: "and lives on" | "and dies";
}

/** Deadlines for tests in which a call never settles. */
const SHORT_LIMITS = {
  ...BACKGROUND_LIMITS,
  d1Ms: SHORT_MS,
  objectMs: SHORT_MS,
  r2Ms: SHORT_MS,
  filesCreatorMs: SHORT_MS,
};

/** Bindings with `fault` applied, and the names of the calls made through them. */
export function withFault(env: Bindings, fault: Fault | null): { using: Bindings; calls: string[] } {
  const calls: string[] = [];
  const broken = () => {
    throw outage("injected: the binding did not answer");
  };
  const guarded = async (name: string, call: () => Promise<unknown>) => {
    const position = calls.push(name);
    if (fault === null || position < fault.call) return call();
    if (position > fault.call) return fault.then === "and dies" ? broken() : call();
    if (fault.took === "after it took effect") await discard(await call());
    return fault.how === "pends" ? new Promise(() => undefined) : broken();
  };
  const methods = <T extends object>(binding: T, prefix: string, names: readonly string[]): T =>
    new Proxy(binding, {
      get(target, name) {
        const value: unknown = Reflect.get(target, name, target);
        if (typeof value !== "function") return value;
        // A stub returns a method for every property, also for "then".
        if (name === "then") return undefined;
        const call = (...args: unknown[]) => Reflect.apply(value, target, args);
        if (!names.includes(String(name))) return call;
        return (...args: unknown[]) => guarded(`${prefix}.${String(name)}`, () => call(...args));
      },
    });
  const objects = <T extends object>(namespace: T, prefix: string, names: readonly string[]): T =>
    new Proxy(namespace, {
      get(target, name) {
        const value: unknown = Reflect.get(target, name, target);
        if (typeof value !== "function") return value;
        if (name !== "getByName") return value.bind(target);
        return (id: string) => methods(Reflect.apply(value, target, [id]) as object, prefix, names);
      },
    });
  const using: Bindings = {
    ...env,
    CONNECTION_GATE: objects(env.CONNECTION_GATE, "gate", ["claim", "settle", "refresh", "poke", "status"]),
    FORWARDING_GOVERNOR: objects(env.FORWARDING_GOVERNOR, "circuit-breaker", ["permit", "observe"]),
    ARCHIVE: methods(env.ARCHIVE, "archive", ["get"]),
    DB: methods(env.DB, "db", ["batch"]),
  };
  if (env.FILES_CREATOR !== undefined)
    using.FILES_CREATOR = methods(env.FILES_CREATOR, "files-creator", ["fetch"]);
  return { using: fault?.how === "pends" ? bounded(using, SHORT_LIMITS) : using, calls };
}

/** Reads the body of a response that is about to be lost. */
async function discard(answer: unknown): Promise<void> {
  const { body } = (answer ?? {}) as { body?: unknown };
  if (body instanceof ReadableStream) await new Response(body).arrayBuffer();
}

/** Bindings with which `method` rejects, as for an unreachable object, on each gate for which `breaks` returns true. */
export function withBrokenGates(
  env: Bindings,
  method: string,
  breaks: (name: string) => boolean = () => true,
): Bindings {
  const namespace = new Proxy(env.CONNECTION_GATE, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value !== "function") return value;
      if (name !== "getByName") return value.bind(target);
      return (id: string) => {
        const stub = target.getByName(id);
        if (!breaks(id)) return stub;
        return new Proxy(stub, {
          get(object, property) {
            if (property === method)
              return () =>
                Promise.reject(Object.assign(new Error("the gate is unreachable"), { retryable: true }));
            if (property === "then") return undefined;
            const member: unknown = Reflect.get(object, property, object);
            if (typeof member !== "function") return member;
            return (...args: unknown[]) => Reflect.apply(member, object, args);
          },
        });
      };
    },
  });
  return { ...env, CONNECTION_GATE: namespace };
}
