/** For staff: the requests to connections and with keys that do not exist. They belong to no owner. */
import { Hono } from "hono";
import type { ConsoleEnv } from "../../console-host.ts";
import { page } from "../../page.tsx";
import { Heading } from "../../parts/panels.tsx";
import { changed } from "../../paths.ts";
import { RequestList, readRequests } from "./request-list.tsx";

export const unknownRequests = new Hono<ConsoleEnv>().get("/console/requests", async (c) => {
  if (c.get("session").owner !== null) return c.notFound();
  // With an owner in the address, neither this list nor the pages of its requests would be found.
  if (c.get("scope").owner !== null) return c.redirect(changed(new URL(c.req.url), { owner: null }), 303);
  return page(
    c,
    { title: "Unknown senders", section: "connections" },
    <>
      <Heading title="Unknown senders">
        Requests to connections, and with API keys, that do not exist: a wrong address, a deleted connection,
        or somebody who tries.
      </Heading>
      <RequestList
        read={await readRequests(c, "/requests", { unknown: true })}
        areRefused
        nothing="No such request has arrived in the last 30 days."
      />
    </>,
  );
});
