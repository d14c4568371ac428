// Verifies webhooks by `X-Webhook-Signature` and `X-Webhook-Timestamp`, as the gateway does with what it receives.
//   WEBHOOK_SECRET=whsec_… PORT=3000 node inbound-scheme.mjs
import { createHmac, timingSafeEqual } from "node:crypto";
import { createServer } from "node:http";

const SECRET = process.env.WEBHOOK_SECRET ?? "";

function isGenuine(body, headers) {
  const timestamp = headers["x-webhook-timestamp"] ?? "";
  const expected = createHmac("sha256", SECRET).update(`${timestamp}.`).update(body).digest("hex");
  return areEqual(headers["x-webhook-signature"] ?? "", expected);
}

function areEqual(given, expected) {
  return given.length === expected.length && timingSafeEqual(Buffer.from(given), Buffer.from(expected));
}

const server = createServer(async (request, response) => {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const genuine = isGenuine(Buffer.concat(chunks), request.headers);
  response.writeHead(genuine ? 200 : 401).end();
});
server.listen(Number(process.env.PORT ?? 3000), () => console.log(`listening on ${server.address().port}`));
