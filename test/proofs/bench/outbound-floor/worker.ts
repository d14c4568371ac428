/**
 * The minimum of a queue consumer that delivers: it fetches the URLs that its messages name, with as many requests in flight as the
 * gateway's consumer. It reads no row, signs nothing and records nothing.
 */

/** Addresses that are each sent a body of so many bytes, so many times. */
export interface Posts {
  urls: string[];
  times: number;
  bytes: number;
}

interface Bindings {
  POSTS: Queue<Posts>;
}

/** As the gateway's consumer. */
const MAX_IN_FLIGHT = 6;

export default {
  async fetch(request, env) {
    const messages = (await request.json()) as Posts[];
    for (const body of messages) await env.POSTS.send(body);
    return new Response(null, { status: 202 });
  },
  async queue(batch) {
    const posts = batch.messages.values().flatMap(({ body: { urls, times, bytes } }) => {
      const body = "x".repeat(bytes);
      return Array.from({ length: times }, () => urls.map((url) => ({ url, body }))).flat();
    });
    await Promise.all(
      Array.from({ length: MAX_IN_FLIGHT }, async () => {
        for (const { url, body } of posts) {
          const response = await fetch(url, { method: "POST", body });
          await response.arrayBuffer();
        }
      }),
    );
  },
} satisfies ExportedHandler<Bindings, Posts>;
