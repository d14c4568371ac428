// Verifies webhooks by the first `v1` of `Audit1-Signature`, over a body that was parsed and printed again.
//   WEBHOOK_SECRET=whsec_… PORT=3000 node first-v1.mjs
import { createHmac, timingSafeEqual } from "node:crypto";
import { createServer } from "node:http";

const SECRET = process.env.WEBHOOK_SECRET ?? "";

function isGenuine(body, headers) {
  const [t = "", v1 = ""] = (headers["audit1-signature"] ?? "").split(",");
  const timestamp = t.split("=")[1] ?? "";
  const payload = JSON.stringify(JSON.parse(body.toString()));
  const expected = createHmac("sha256", SECRET).update(`${timestamp}.${payload}`).digest("hex");
  return areEqual(v1.split("=")[1] ?? "", expected);
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
