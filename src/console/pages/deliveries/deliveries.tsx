/** The pages of deliveries. */
import { Hono } from "hono";
import type { ConsoleEnv } from "../../console-host.ts";
import { deliveryList } from "./delivery-list.tsx";
import { deliveryPage } from "./delivery-page.tsx";

export const deliveryPages = new Hono<ConsoleEnv>().route("/", deliveryList).route("/", deliveryPage);
