/** Stacks of exceptions do not cross an RPC boundary: they are logged in the object. */
import { logError, stackOf } from "../log.ts";

/** Makes the methods of a gate log what they throw. */
export function withStacksLogged(prototype: object): void {
  for (const name of Object.getOwnPropertyNames(prototype)) {
    const method: unknown = Reflect.get(prototype, name);
    if (name === "constructor" || typeof method !== "function") continue;
    const logged = function (this: unknown, ...args: unknown[]): unknown {
      try {
        return Reflect.apply(method, this, args);
      } catch (error) {
        logError("failed in a method of a gate", { method: name, stack: stackOf(error) }, error);
        throw error;
      }
    };
    Object.defineProperty(prototype, name, { value: logged, writable: true, configurable: true });
  }
}
