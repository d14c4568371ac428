/** Sign-in by link, and sign-out. The link's token is in the address's fragment; a script posts it, or the person pastes it. */
import { Hono } from "hono";
import { consolePathProblem } from "../../portal/sessions/console-path.ts";
import { endSession, type LinkProblem } from "../../portal/sessions/signed-in.ts";
import type { ConsoleContext, ConsoleEnv } from "../console-host.ts";
import { endSessionCookie } from "../cookie.ts";
import { heldBack } from "../held-back.tsx";
import { PlainPage } from "../layout.tsx";
import { html } from "../page.tsx";
import { to } from "../paths.ts";
import { sessionIn, signInByLink } from "../sign-in-session.ts";

const PROBLEMS: Record<LinkProblem, string> = {
  unknown: "This link is incomplete or was never made. Copy it whole, or ask for a new one.",
  used: "This link was used already: each signs in once. Open the console from your portal again for a new one.",
  expired: "This link has expired. Open the console from your portal again for a new one.",
  revoked: "This link was revoked. Ask whoever gave it to you for a new one.",
};

/** A pasted address or only its token. */
function tokenOf(pasted: string): string {
  const text = pasted.trim();
  return text.slice(text.lastIndexOf("#") + 1);
}

export const signIn = new Hono<ConsoleEnv>()
  .get("/console/sign-in", (c) => signInPage(c, null))
  .post("/console/sign-in", async (c) => {
    const { token, next } = await c.req.parseBody();
    const entered = await signInByLink(c, typeof token === "string" ? tokenOf(token) : "");
    if (!entered.ok)
      return typeof entered.error === "string" ? signInPage(c, entered.error) : heldBack(c, entered.error);
    const isUsable = typeof next === "string" && consolePathProblem(next) === null;
    return c.redirect(isUsable ? next : entered.value, 303);
  })
  .post("/console/sign-out", async (c) => {
    const { env, requestId, startedAt } = c.env;
    const found = await sessionIn(c);
    if (!found.ok) return heldBack(c, found.error);
    if (found.value !== null) await endSession(env, found.value, startedAt, requestId);
    endSessionCookie(c);
    return c.redirect(to.signIn({ ended: "signed-out" }), 303);
  });

const ENDED: ReadonlyMap<string, string> = new Map([
  ["yes", "Your session has ended. Nothing that you had saved is lost."],
  ["signed-out", "You are signed out."],
]);

function signInPage(c: ConsoleContext, problem: LinkProblem | null): Response {
  const ended = ENDED.get(c.req.query("ended") ?? "");
  const next = c.req.query("next");
  const content = (
    <>
      <h1>Sign in to Audit1</h1>
      {problem !== null && (
        <p class="notice bad" role="alert">
          {PROBLEMS[problem]}
        </p>
      )}
      {problem === null && ended !== undefined && <p class="notice waiting">{ended}</p>}
      <p>
        Your portal opens this console with a link that signs you in. If you were given the link, paste it
        here.
      </p>
      <form method="post" action={to.signIn({ next })} class="fields" data-sign-in>
        <label class="field">
          <span>Link</span>
          <input type="password" name="token" autocomplete="off" required />
        </label>
        {next !== undefined && <input type="hidden" name="next" value={next} />}
        <p class="buttons">
          <button type="submit" class="primary">
            Sign in
          </button>
          <a href={to.staff({ next })}>Audit1 staff</a>
        </p>
      </form>
    </>
  );
  return html(
    c,
    <PlainPage title="Sign in" scripts={["sign-in.js"]}>
      {content}
    </PlainPage>,
    problem === null ? 200 : 403,
  );
}
