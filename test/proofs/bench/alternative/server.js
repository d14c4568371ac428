/**
 * The usual alternative: what a careful team writes in an afternoon. Express, the raw body, HMAC in constant time, a rate
 * limit in memory, and one insert into SQLite in WAL mode, on disk before the answer. No sealing, no duplicates, no employers.
 *
 * Started as `node server.js {database file}`. It gets its secrets by connection id as a message, and replies with its port.
 */
import { createHmac, timingSafeEqual } from "node:crypto";
import { DatabaseSync } from "node:sqlite";
import express from "express";
import rateLimit from "express-rate-limit";

const SIGNATURE_WINDOW_MS = 300_000;
/** As the gateway's largest plan. */
const REPORTS_PER_MINUTE = 2_000;

const database = new DatabaseSync(process.argv[2] ?? ":memory:");
database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL");
database.exec(
  "CREATE TABLE reports (id INTEGER PRIMARY KEY, connection_id TEXT NOT NULL, received_at INTEGER NOT NULL, body BLOB NOT NULL)",
);
const insert = database.prepare("INSERT INTO reports (connection_id, received_at, body) VALUES (?, ?, ?)");

/** @type {Map<string, string>} */
const secrets = new Map();

const app = express();
const limiter = rateLimit({
  windowMs: 60_000,
  limit: REPORTS_PER_MINUTE,
  standardHeaders: true,
  legacyHeaders: false,
  keyGenerator: (request) => request.params.id,
});
app.post("/hooks/:id", limiter, express.raw({ type: "*/*", limit: "10mb" }), (request, response) => {
  const secret = secrets.get(request.params.id);
  if (secret === undefined) return response.status(404).json({ error: "unknown connection" });
  const timestamp = request.get("X-Webhook-Timestamp") ?? "";
  if (!(Math.abs(Date.now() - Number(timestamp)) <= SIGNATURE_WINDOW_MS))
    return response.status(401).json({ error: "expired" });
  const expected = createHmac("sha256", secret).update(`${timestamp}.`).update(request.body).digest();
  const given = Buffer.from(request.get("X-Webhook-Signature") ?? "", "hex");
  if (given.length !== expected.length || !timingSafeEqual(given, expected))
    return response.status(401).json({ error: "bad signature" });
  let report;
  try {
    report = JSON.parse(request.body.toString("utf8"));
  } catch {
    return response.status(400).json({ error: "invalid JSON" });
  }
  if (!Array.isArray(report?.employees) || report.employees.length === 0)
    return response.status(400).json({ error: "no employees" });
  const { lastInsertRowid } = insert.run(request.params.id, Date.now(), request.body);
  return response.status(202).json({ success: true, file_id: String(lastInsertRowid) });
});

process.once("message", (/** @type {{ id: string, secret: string }[]} */ senders) => {
  for (const { id, secret } of senders) secrets.set(id, secret);
  const server = app.listen(0, "127.0.0.1", () => process.send?.(server.address().port));
});
process.once("disconnect", () => process.exit(0));
