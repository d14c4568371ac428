/**
 * The contract document, made outside the Workers' runtime. Schemas stand beside the routes that check by them, and some of
 * those import what only that runtime has: here they get names without anything behind them.
 */
import { registerHooks } from "node:module";

const NAMES = "export const connect = undefined; export class DurableObject {}";

registerHooks({
  resolve: (specifier, context, next) =>
    specifier.startsWith("cloudflare:")
      ? { url: `data:text/javascript,${encodeURIComponent(NAMES)}`, shortCircuit: true }
      : next(specifier, context),
});

const { openApiDocument } = await import("../src/contract/document.ts");

export const document = openApiDocument();
