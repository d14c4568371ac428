/**
 * `/console/staff`: people of Audit1 sign in. Cloudflare Access stands in front of this one path; its token is verified as the API
 * verifies it, and traded for a session. Nobody enters if Access is not set up, or cannot be asked.
 */
import { Hono } from "hono";
import { verifyAccessToken } from "../../portal/access.ts";
import { consolePathProblem } from "../../portal/sessions/console-path.ts";
import { startStaffSession } from "../../portal/sessions/signed-in.ts";
import { allowsInsecure } from "../../setting-parsers.ts";
import type { ConsoleContext, ConsoleEnv } from "../console-host.ts";
import { PlainPage } from "../layout.tsx";
import { html } from "../page.tsx";
import { to } from "../paths.ts";
import { enter } from "../sign-in-session.ts";

interface Refusal {
  status: 401 | 403 | 503;
  why: string;
}

const NOT_SET_UP: Refusal = { status: 503, why: "Sign-in for staff is not set up on this gateway." };
const LOCAL: Refusal = {
  status: 503,
  why: "Sign-in for staff is not set up on this gateway. Open the link for staff that npm start prints.",
};
const NO_TOKEN: Refusal = {
  status: 401,
  why: "Cloudflare Access did not vouch for this request. It must stand in front of this address.",
};
const NOT_VALID: Refusal = {
  status: 401,
  why: "Your sign-in at Cloudflare Access has expired, or is for another application. Sign in there again.",
};
const NOT_VERIFIED: Refusal = {
  status: 503,
  why: "Your sign-in could not be verified: Cloudflare Access does not answer. Try again in a moment.",
};
const NOT_A_PERSON: Refusal = {
  status: 403,
  why: "A service token cannot use the console. It can use the API.",
};

export const staff = new Hono<ConsoleEnv>().get("/console/staff", async (c) => {
  const { env, settings, startedAt, requestId } = c.env;
  if (settings.access === null) return refused(c, allowsInsecure(env) ? LOCAL : NOT_SET_UP);
  const token = c.req.header("Cf-Access-Jwt-Assertion");
  if (!token) return refused(c, NO_TOKEN);
  const verified = await verifyAccessToken(token, settings.access);
  if (!verified.ok)
    return refused(c, verified.error.kind === "sign_in_unverified" ? NOT_VERIFIED : NOT_VALID);
  const { isPerson, logId, ...person } = verified.value;
  c.env.log.client_id = `access:${logId}`;
  if (!isPerson) return refused(c, NOT_A_PERSON);
  enter(c, await startStaffSession(env, person, startedAt, requestId));
  const next = c.req.query("next");
  return c.redirect(next !== undefined && consolePathProblem(next) === null ? next : to.now(), 303);
});

function refused(c: ConsoleContext, { status, why }: Refusal): Response {
  const content = (
    <>
      <h1>Not signed in</h1>
      <p class="notice bad" role="alert">
        {why}
      </p>
      <p>
        <a href={to.signIn()}>Sign in with a link</a>
      </p>
    </>
  );
  return html(c, <PlainPage title="Not signed in">{content}</PlainPage>, status);
}
