/** The Durable Object that watches the gateway: a second clock beside the cron, whose alarm rings each minute. */
import { DurableObject } from "cloudflare:workers";
import type { Bindings } from "../bindings.ts";

/** The class name is stored: a renamed class would lose its object. */
export class GatewayWatch extends DurableObject<Bindings> {}
