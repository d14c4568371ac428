/**
 * The contract document, built outside the Workers runtime. Contracts are beside their handlers, and some handlers import
 * modules that only that runtime has. Here, empty names replace those modules.
 */
import { registerHooks } from "node:module";

const NAMES = "export const connect = undefined; export class DurableObject {}";

registerHooks({
  resolve: (specifier, context, next) =>
    specifier.startsWith("cloudflare:")
      ? { url: `data:text/javascript,${encodeURIComponent(NAMES)}`, shortCircuit: true }
      : next(specifier, context),
});

/** The part of the document that these tools read. */
interface OpenApiDocument {
  paths?: Record<string, Record<string, { security?: Record<string, string[]>[] } | undefined>>;
}

/** Loads a module of the Worker without its types, because the types of Workers and of Node conflict in one program. */
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
