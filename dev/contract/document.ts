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

/** As much of the document as the tools here read. */
interface OpenApiDocument {
  paths?: Record<string, Record<string, { security?: Record<string, string[]>[] } | undefined>>;
}

/** Modules of the Worker are not typed by their imports: the Workers' types and Node's are not for one program. */
async function load<Exports>(module: string): Promise<Exports> {
  return (await import(`../../src/${module}`)) as Exports;
}

const { app } = await load<{ app: { routes: unknown } }>("app.ts");
const { openApiDocument } = await load<{ openApiDocument: (routes: unknown) => OpenApiDocument }>(
  "reference/openapi-document.ts",
);
export const document = openApiDocument(app.routes);

/** The ids and reports that the document's examples show. */
interface Examples {
  EXAMPLE: Record<"connectionId" | "employerId" | "fileId", string> & {
    owner: { owner_type: string; owner_id: string };
  };
  REPORT_EXAMPLES: { report: { value: object } };
}
export const { EXAMPLE } = await load<Pick<Examples, "EXAMPLE">>("contract/examples.ts");
export const { REPORT_EXAMPLES } = await load<Pick<Examples, "REPORT_EXAMPLES">>(
  "inbound/report-contract.ts",
);
