/**
 * `npm run postman`: the contract document as a Postman collection, dist/audit1.postman_collection.json. Requests are the
 * document's examples. Credentials and ids are variables of the collection. Reports are signed before they are sent.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { workspace } from "../workspace.ts";
import { document, EXAMPLE } from "./document.ts";
import { ensureInstalled } from "./install.ts";

ensureInstalled();
const { convertV2 } = (await import("openapi-to-postmanv2")).default;

interface Field {
  key: string;
  value: string;
  disabled?: boolean;
  description?: { content: string };
}
interface Item {
  name: string;
  item?: Item[];
  request?: {
    method: string;
    url: { path: string[]; query: Field[]; variable: Field[] };
    header: Field[];
    auth?: unknown;
  };
  event?: unknown[];
}
interface Collection {
  item: Item[];
  variable: { key: string; value: string }[];
}

const VARIABLES: Record<string, string> = {
  baseUrl: "http://127.0.0.1:8787",
  portal_client_id: "portal",
  portal_client_secret: "",
  api_key: "",
  connection_secret: "",
  connection_id: EXAMPLE.connectionId,
  employer_id: EXAMPLE.employerId,
  file_id: EXAMPLE.fileId,
  owner_type: EXAMPLE.owner.owner_type,
  owner_id: EXAMPLE.owner.owner_id,
};

/** Runs in Postman and signs the exact body by the inbound scheme. */
const SIGN = `const timestamp = String(Date.now());
const body = pm.variables.replaceIn(pm.request.body.raw);
const secret = pm.variables.get("connection_secret");
pm.request.body.update(body);
pm.request.headers.upsert({ key: "X-Webhook-Timestamp", value: timestamp });
pm.request.headers.upsert({
  key: "X-Webhook-Signature",
  value: CryptoJS.HmacSHA256(timestamp + "." + body, secret).toString(CryptoJS.enc.Hex),
});`;

const collection = await converted(JSON.stringify(document));
collection.variable = Object.entries(VARIABLES).map(([key, value]) => ({ key, value }));
for (const item of requestsIn(collection.item)) prepare(item);
const file = path.join(workspace.root, "dist/audit1.postman_collection.json");
mkdirSync(path.dirname(file), { recursive: true });
writeFileSync(file, `${JSON.stringify(collection, null, 2)}\n`);
console.log(`${[...requestsIn(collection.item)].length} requests in ${path.relative(workspace.root, file)}`);

function converted(data: string): Promise<Collection> {
  const options = { folderStrategy: "Tags", parametersResolution: "Example" };
  return new Promise((resolve, reject) => {
    convertV2({ type: "string", data }, options, (error, result) => {
      const [output] = result?.output ?? [];
      if (error || !result?.result || output === undefined)
        reject(new Error(`the document could not be converted: ${error?.message ?? result?.reason}`));
      else resolve(output.data as Collection);
    });
  });
}

function* requestsIn(items: readonly Item[]): Generator<Item> {
  for (const each of items) {
    if (each.item !== undefined) yield* requestsIn(each.item);
    else yield each;
  }
}

function prepare(item: Item): void {
  const { request } = item;
  if (request === undefined) return;
  for (const field of [...request.url.query, ...request.header]) {
    if (field.key in VARIABLES) field.value = `{{${field.key}}}`;
    else if (!isSent(field)) field.disabled = true;
  }
  for (const field of request.url.variable) if (field.key in VARIABLES) field.value = `{{${field.key}}}`;
  request.auth = { type: "noauth" };
  const ways = securityOf(request.method, request.url.path);
  if (ways.includes("apiKey"))
    request.auth = { type: "bearer", bearer: [{ key: "token", value: "{{api_key}}", type: "string" }] };
  if (ways.includes("portalClientId"))
    request.header.push(
      { key: "X-Client-ID", value: "{{portal_client_id}}" },
      { key: "X-Client-Secret", value: "{{portal_client_secret}}" },
    );
  if (ways.includes("webhookSignature"))
    item.event = [{ listen: "prerequest", script: { type: "text/javascript", exec: SIGN.split("\n") } }];
}

/** Optional headers are included but switched off. */
function isSent({ key, description }: Field): boolean {
  return ["Content-Type", "Accept"].includes(key) || (description?.content.startsWith("(Required)") ?? false);
}

function securityOf(method: string, segments: readonly string[]): string[] {
  const place = `/${segments.map((segment) => segment.replace(/^:(.+)$/, "{$1}")).join("/")}`;
  const operation = document.paths?.[place]?.[method.toLowerCase() as "get"];
  if (operation === undefined) throw new Error(`the document has no ${method} ${place}`);
  return (operation.security ?? []).flatMap((way) => Object.keys(way));
}
