/** Finds the session of a request's cookie, and starts one. */
import type { Session } from "../db/sessions.ts";
import { clientAddress } from "../http/client-address.ts";
import type { Failure } from "../http/failure.ts";
import { AbuseLimiter } from "../inbound/abuse-limiter.ts";
import { logError } from "../log.ts";
import {
  endSession,
  type LinkProblem,
  redeemLink,
  type Started,
  sessionOf,
} from "../portal/sessions/signed-in.ts";
import { err, ok, type Result } from "../result.ts";
import type { ConsoleContext } from "./console-host.ts";
import { sessionToken, setSessionCookie } from "./cookie.ts";

/**
 * Every unknown token costs a read of the database's primary, and is charged to the address that sent it. Apart from the limiter of
 * the intakes: a sender that keeps failing must not lock people out who share its address.
 */
export const tokenLimiter = new AbuseLimiter();

/** Null without a session in force. Fails for an address that has sent too many unknown tokens. */
export async function sessionIn(c: ConsoleContext): Promise<Result<Session | null, Failure>> {
  const token = sessionToken(c);
  if (token === undefined) return ok(null);
  const address = clientAddress(c.req.raw.headers);
  const found = await tokenLimiter.inTurn(address, () => sessionOf(c.env.env, token, c.env.startedAt));
  if (found.ok && found.value === null) tokenLimiter.charge(address, token);
  return found;
}

/** The path to go to. Fails with the link's problem, or for an address that has sent too many unknown tokens. */
export async function signInByLink(
  c: ConsoleContext,
  token: string,
): Promise<Result<string, LinkProblem | Failure>> {
  const address = clientAddress(c.req.raw.headers);
  const { env, startedAt, requestId } = c.env;
  const redeemed = await tokenLimiter.inTurn(address, () => redeemLink(env, token, startedAt, requestId));
  if (!redeemed.ok) return redeemed;
  if (!redeemed.value.ok) {
    const problem = redeemed.value.error;
    if (problem === "unknown") tokenLimiter.charge(address, token);
    c.env.log.outcome = `link_${problem}`;
    return err(problem);
  }
  enter(c, redeemed.value.value);
  return ok(redeemed.value.value.next);
}

/** Sets the session's cookie, and ends the session that the browser had before. */
export function enter(c: ConsoleContext, { token, session }: Started): void {
  const before = sessionToken(c);
  setSessionCookie(c, token, session);
  c.env.log.session_id = session.id;
  if (before !== undefined) c.executionCtx.waitUntil(leave(c, before));
}

async function leave(c: ConsoleContext, token: string): Promise<void> {
  const { env, startedAt, requestId } = c.env;
  try {
    const session = await sessionOf(env, token, startedAt);
    if (session !== null) await endSession(env, session, startedAt, requestId);
  } catch (error) {
    // It expires by itself, and no browser has its token any more.
    logError("failed to end a replaced session", { request_id: requestId }, error);
  }
}
