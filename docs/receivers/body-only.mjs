// Verifies webhooks by `Audit1-Signature: sha256=<hex of body>`, for webhooks with that `signature_format`.
//   WEBHOOK_SECRET=whsec_… PORT=3000 node body-only.mjs
import { createHmac, timingSafeEqual } from "node:crypto";
import { createServer } from "node:http";

const SECRET = process.env.WEBHOOK_SECRET ?? "";

function isGenuine(body, headers) {
  const expected = createHmac("sha256", SECRET).update(body).digest("hex");
  return areEqual(headers["audit1-signature"] ?? "", `sha256=${expected}`);
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
