/** The Durable Object that keeps evidence of requests whose connection or key does not exist: a few objects, chosen by hash. */
import { DurableObject } from "cloudflare:workers";
import type { Bindings } from "../bindings.ts";

/** The class name is stored: a renamed class would lose its objects. */
export class RequestLog extends DurableObject<Bindings> {}
