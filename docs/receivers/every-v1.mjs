// Receives webhooks of Audit1 and verifies them by `Audit1-Signature`, whichever of our secrets signed.
//   WEBHOOK_SECRET=whsec_… PORT=3000 node every-v1.mjs
import { createHmac, timingSafeEqual } from "node:crypto";
import { createServer } from "node:http";

const SECRET = process.env.WEBHOOK_SECRET ?? "";
const WINDOW_SECONDS = 300;
const LARGEST_BODY_BYTES = 1024 * 1024;
/** Ids of events that were received. A real receiver keeps them in its database, with what it does about them. */
const received = new Set();

/** `header` is `t=<Unix seconds>,v1=<hex>`, during a rotation with one `v1` for each secret. */
function isGenuine(body, header) {
  const parts = header.split(",").map((part) => part.split("="));
  const timestamp = parts.find(([name]) => name === "t")?.[1] ?? "";
  const age = Math.abs(Date.now() / 1000 - Number(timestamp || Number.NaN));
  if (!(age <= WINDOW_SECONDS)) return false;
  const expected = createHmac("sha256", SECRET).update(`${timestamp}.`).update(body).digest();
  return parts.some(([name, hex]) => {
    const signature = Buffer.from(name === "v1" ? (hex ?? "") : "", "hex");
    return signature.length === expected.length && timingSafeEqual(signature, expected);
  });
}

async function read(request) {
  const chunks = [];
  let length = 0;
  for await (const chunk of request) {
    length += chunk.length;
    if (length > LARGEST_BODY_BYTES) return null;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

const server = createServer(async (request, response) => {
  const body = await read(request);
  if (body === null) return response.writeHead(413).end();
  if (!isGenuine(body, request.headers["audit1-signature"] ?? "")) return response.writeHead(401).end();
  const event = JSON.parse(body.toString());
  // Deliveries may come twice: the id tells. Answer first, work afterwards.
  const isNew = !received.has(event.id);
  received.add(event.id);
  response.writeHead(200).end();
  if (isNew) console.log(`${event.type} ${event.id}`);
});
server.listen(Number(process.env.PORT ?? 3000), () => console.log(`listening on ${server.address().port}`));
