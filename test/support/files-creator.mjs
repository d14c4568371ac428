/**
 * The files-creator as the tests in workerd see it: takes files, remembers every POST, and answers as it is told.
 * PUT /script with a list of steps {status, body, headers, delayMs, hang} sets the next answers; then 202 again.
 */
let received = [];
let script = [];

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
    const step = script.shift() ?? {};
    received.push({
      method: request.method,
      path: pathname,
      headers: Object.fromEntries(request.headers),
      size: bytes.byteLength,
      sha256: Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join(""),
      text: bytes.byteLength < 10_000 ? new TextDecoder().decode(bytes) : null,
    });
    if (step.hang) await new Promise(() => undefined);
    if (step.delayMs) await scheduler.wait(step.delayMs);
    const status = step.status ?? 202;
    return new Response(step.body ?? JSON.stringify({ records_total: 1 }), { status, headers: step.headers });
  },
};
