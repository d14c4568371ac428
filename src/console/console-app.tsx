/** The console's router: what every page gets (headers, session, the client of the API), and the pages. */
import { Hono } from "hono";
import { csrf } from "hono/csrf";
import { createMiddleware } from "hono/factory";
import { HTTPException } from "hono/http-exception";
import { RingKeyMissing } from "../crypto/vault.ts";
import { isOutage } from "../deadline.ts";
import { ConfigurationError } from "../env.ts";
import { logError, loggable, stackOf } from "../log.ts";
import { Api } from "./api.ts";
import { assetResponse } from "./assets.ts";
import type { ConsoleContext, ConsoleEnv } from "./console-host.ts";
import { sessionToken } from "./cookie.ts";
import { heldBack } from "./held-back.tsx";
import { PlainPage } from "./layout.tsx";
import { html, page } from "./page.tsx";
import { scopeOf } from "./page-scope.ts";
import { connections } from "./pages/connections/connections.tsx";
import { deliveryPages } from "./pages/deliveries/deliveries.tsx";
import { docs } from "./pages/docs/docs.tsx";
import { events } from "./pages/events/events.tsx";
import { find } from "./pages/find/find.tsx";
import { jobPages } from "./pages/jobs/jobs.tsx";
import { metrics } from "./pages/metrics/metrics.tsx";
import { now } from "./pages/now/now.tsx";
import { reports } from "./pages/reports/reports.tsx";
import { oneRequest } from "./pages/requests/one-request.tsx";
import { unknownRequests } from "./pages/requests/unknown-requests.tsx";
import { settings } from "./pages/settings/settings.tsx";
import { setup } from "./pages/setup/setup.tsx";
import { signIn } from "./pages/sign-in.tsx";
import { staff } from "./pages/staff.tsx";
import { webhooks } from "./pages/webhooks/webhooks.tsx";
import { changed, to } from "./paths.ts";
import { personSession } from "./session.ts";
import { sessionIn } from "./sign-in-session.ts";

const headers = createMiddleware<ConsoleEnv>(async (c, next) => {
  await next();
  const { frameAncestors } = c.env.settings.console;
  const policy = [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' data:",
    "connect-src 'self'",
    "form-action 'self'",
    "base-uri 'none'",
    `frame-ancestors ${frameAncestors.length === 0 ? "'none'" : frameAncestors.join(" ")}`,
  ];
  c.res.headers.set("Content-Security-Policy", policy.join("; "));
  c.res.headers.set("X-Content-Type-Options", "nosniff");
  // Not `no-referrer`: browsers would then hide the origin of the console's own forms.
  c.res.headers.set("Referrer-Policy", "same-origin");
});

/** Requests without a session in force are led to the sign-in, and from there back to the page. */
const signedIn = createMiddleware<ConsoleEnv>(async (c, next) => {
  const found = await sessionIn(c);
  if (!found.ok) return heldBack(c, found.error);
  if (found.value === null) {
    const url = new URL(c.req.url);
    const next = c.req.method === "GET" ? `${url.pathname}${url.search}` : undefined;
    return c.redirect(to.signIn({ next, ended: sessionToken(c) === undefined ? undefined : "yes" }), 303);
  }
  // A frame has no room for navigation, whatever the link said.
  const isFramed = c.req.header("Sec-Fetch-Dest") === "iframe";
  const own = personSession(found.value);
  const session = { ...own, embedded: own.embedded || isFramed };
  const url = new URL(c.req.url);
  const scope = scopeOf(url.searchParams);
  c.set("session", session);
  c.set("scope", session.owner === null ? scope : { ...scope, owner: null });
  c.set("api", new Api(url.origin, session.client, c.get("scope"), c.env.callApi));
  c.env.log.session_id = session.id;
  return next();
});

export const consoleApp = new Hono<ConsoleEnv>({ strict: false })
  .use(headers)
  .get("/console/assets/:file", (c) => assetResponse(c.req.path) ?? notFound(c))
  .use(csrf())
  .route("/", signIn)
  .route("/", staff)
  .use(signedIn)
  .use(async (c, next) => {
    await next();
    c.env.log.route = c.req.routePath;
  })
  .route("/", now)
  .route("/", deliveryPages)
  .route("/", jobPages)
  .route("/", metrics)
  .route("/", setup)
  .route("/", connections)
  .route("/", oneRequest)
  .route("/", unknownRequests)
  .route("/", find)
  .route("/", reports)
  .route("/", webhooks)
  .route("/", events)
  .route("/", settings)
  .route("/", docs)
  .notFound(notFound)
  .onError(unexpected);

function notFound(c: ConsoleContext): Response {
  const content = (
    <div class="state">
      <h1>No such page</h1>
      <p>The address may be incomplete, or what it showed may be gone.</p>
      <p>
        <a href={to.now()}>Go to Now</a>
      </p>
    </div>
  );
  if (c.get("session") === undefined)
    return html(c, <PlainPage title="No such page">{content}</PlainPage>, 404);
  return page(c, { title: "No such page", section: null, status: 404 }, content);
}

/** A page that cannot be made says so and names its request. */
function unexpected(thrown: Error, c: ConsoleContext): Response {
  if (thrown instanceof HTTPException && thrown.status === 403) return refusedForm(c);
  const error = loggable(thrown);
  const { requestId } = c.env;
  const isExpected =
    isOutage(error) || error instanceof ConfigurationError || error instanceof RingKeyMissing;
  logError(
    "failed to make a page",
    { request_id: requestId, route: c.req.path, stack: stackOf(error) },
    error,
  );
  const url = new URL(c.req.url);
  const retry = c.req.method === "GET" ? changed(url, {}) : url.pathname;
  const content = (
    <div class="state failed" role="alert">
      <h1>This page could not be made</h1>
      <p>
        {isExpected
          ? "A part of the gateway does not answer. Reports are still accepted."
          : "Something unexpected went wrong."}{" "}
        Request <code>{requestId}</code>
      </p>
      <p>
        <a class="button" href={retry}>
          Try again
        </a>
      </p>
    </div>
  );
  return html(c, <PlainPage title="Error">{content}</PlainPage>, isExpected ? 503 : 500);
}

/** The form was posted from elsewhere, or by a browser that does not say from where. */
function refusedForm(c: ConsoleContext): Response {
  const content = (
    <div class="state failed" role="alert">
      <h1>Nothing was changed</h1>
      <p>
        The form was not sent from a page of this console. Open the page again and send the form from there.
      </p>
      <p>
        <a class="button" href={to.now()}>
          Go to Now
        </a>
      </p>
    </div>
  );
  return html(c, <PlainPage title="Nothing was changed">{content}</PlainPage>, 403);
}
