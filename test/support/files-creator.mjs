/**
 * The files-creator of the tests in workerd: it accepts files, records every POST, and responds as scripted.
 * PUT /script with a list of steps {status, body, headers, delayMs, hang, hangBody} sets the next responses; afterwards it
 * responds with 202 again. `hang` never responds; `hangBody` sends the headers and no body.
 * A step with a `connection` applies to the next file of that connection.
 * It refuses a content type that a plain `express.json()` would not parse, and records the refusal beside the file.
 */
/** Longer than any test. The runtime detects a promise that can never settle, and responds with an error. */
const FOREVER_MS = 60_000;

let received = [];
let script = [];

/** 400: the parser ignores a body of another type, so that the handler finds none. 415: the parser itself refuses. */
function refusalOfLabel(contentType) {
  const [type, ...parameters] = (contentType ?? "").split(";");
  if (type.trim().toLowerCase() !== "application/json") return 400;
  const [, charset = "utf-8"] = /(?:^|;)\s*charset\s*=\s*"?([^";\s]*)/i.exec(parameters.join(";")) ?? [];
  return charset.toLowerCase().startsWith("utf-") ? null : 415;
}

export default {
  async fetch(request) {
    const { pathname } = new URL(request.url);
    if (pathname === "/received") return Response.json(received);
    if (pathname === "/reset") {
      received = [];
      script = [];
      return new Response(null, { status: 204 });
    }
    if (pathname === "/script") {
      script = await request.json();
      return new Response(null, { status: 204 });
    }
    const bytes = new Uint8Array(await request.arrayBuffer());
    const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
    const connection = request.headers.get("X-Audit1-Connection-Id");
    const at = script.findIndex((step) => (step.connection ?? connection) === connection);
    const [step = {}] = at < 0 ? [] : script.splice(at, 1);
    received.push({
      method: request.method,
      path: pathname,
      headers: Object.fromEntries(request.headers),
      size: bytes.byteLength,
      sha256: Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join(""),
      text: bytes.byteLength < 10_000 ? new TextDecoder().decode(bytes) : null,
    });
    const unreadable = refusalOfLabel(request.headers.get("Content-Type"));
    if (unreadable !== null) return Response.json({ error: "unreadable label" }, { status: unreadable });
    if (step.hang) await scheduler.wait(FOREVER_MS);
    if (step.delayMs) await scheduler.wait(step.delayMs);
    const status = step.status ?? 202;
    if (step.hangBody) {
      const body = new ReadableStream({
        async pull(controller) {
          controller.enqueue(new Uint8Array(1));
          await scheduler.wait(FOREVER_MS);
        },
      });
      return new Response(body, { status });
    }
    return new Response(step.body ?? JSON.stringify({ records_total: 1 }), { status, headers: step.headers });
  },
};
