/**
 * The internet of the tests in workerd: every URL responds with what was PUT there, and with 404 before.
 * `X-Status` on a PUT sets the status of later responses.
 */
const pages = new Map();

export default {
  async fetch(request) {
    if (request.method === "PUT") {
      const status = Number(request.headers.get("X-Status") ?? 200);
      pages.set(request.url, {
        status,
        body: await request.text(),
        type: request.headers.get("Content-Type"),
      });
      return new Response(null, { status: 204 });
    }
    const page = pages.get(request.url);
    if (page === undefined) return new Response("nothing is here", { status: 404 });
    return new Response(page.body, {
      status: page.status,
      headers: { "Content-Type": page.type ?? "text/plain" },
    });
  },
};
