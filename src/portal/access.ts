/**
 * Verifies the token that Cloudflare Access signs for every request it lets through, against the team's keys. The format and
 * the address of the keys:
 * https://developers.cloudflare.com/cloudflare-one/access-controls/applications/http-apps/authorization-cookie/validating-json/
 */
import { createRemoteJWKSet, errors, type JWTVerifyGetKey, jwtVerify } from "jose";
import * as z from "zod";
import type { Failure } from "../http/failure.ts";
import { logError } from "../log.ts";
import { err, ok, type Result } from "../result.ts";
import type { AccessTeam } from "../setting-parsers.ts";

/** Keys are fetched again after this, or sooner for an unknown key, but at most every 30 s. */
const KEYS_FRESH_MS = 600_000;
const KEYS_COOLDOWN_MS = 30_000;
const KEYS_TIMEOUT_MS = 5_000;
/** The accepted algorithms: a token must not choose its own. */
const ALGORITHMS = ["RS256", "ES256"];

/** The library's codes for an invalid token. Every other error means that the keys are unavailable. */
const REFUSED = new Set([
  errors.JWTExpired.code,
  errors.JWTClaimValidationFailed.code,
  errors.JWTInvalid.code,
  errors.JWSInvalid.code,
  errors.JWSSignatureVerificationFailed.code,
  errors.JOSEAlgNotAllowed.code,
  errors.JOSENotSupported.code,
  errors.JWKSNoMatchingKey.code,
  errors.JWKSMultipleMatchingKeys.code,
]);

/** A person has an e-mail address and an id; a service token has only a name, and an empty id. */
const identity = z.object({
  email: z.string().min(1).max(320).optional(),
  sub: z.string().max(255).optional(),
  common_name: z.string().min(1).max(255).optional(),
});

export interface SignedIn {
  /** A name that operators recognise: an e-mail address, or a service token's name. */
  name: string;
  /** An id that may appear in logs. */
  logId: string;
  /** False for a service token. */
  isPerson: boolean;
  /** When the token expires, ms. */
  expiresAt: number;
}

const keySets = new WeakMap<AccessTeam, JWTVerifyGetKey>();

/** Fails with `sign_in_unverified` when the team's keys cannot be fetched: the token may be valid. */
export async function verifyAccessToken(token: string, team: AccessTeam): Promise<Result<SignedIn, Failure>> {
  try {
    const { payload } = await jwtVerify(token, keysOf(team), {
      issuer: team.issuer,
      audience: team.audience,
      algorithms: ALGORITHMS,
      requiredClaims: ["exp"],
    });
    const parsed = identity.safeParse(payload);
    const name = parsed.data?.email ?? parsed.data?.common_name;
    const { exp } = payload;
    if (name === undefined || exp === undefined) return err({ kind: "access_token_refused" });
    const logId = parsed.data?.sub || parsed.data?.common_name || "unnamed";
    const isPerson = parsed.data?.email !== undefined;
    return ok({ name, logId, isPerson, expiresAt: exp * 1_000 });
  } catch (error) {
    if (error instanceof errors.JOSEError && REFUSED.has(error.code))
      return err({ kind: "access_token_refused" });
    logError("failed to fetch the keys of the Access team", {}, error);
    return err({ kind: "sign_in_unverified" });
  }
}

function keysOf(team: AccessTeam): JWTVerifyGetKey {
  const known = keySets.get(team);
  if (known !== undefined) return known;
  const keys = createRemoteJWKSet(new URL("/cdn-cgi/access/certs", team.issuer), {
    cacheMaxAge: KEYS_FRESH_MS,
    cooldownDuration: KEYS_COOLDOWN_MS,
    timeoutDuration: KEYS_TIMEOUT_MS,
  });
  keySets.set(team, keys);
  return keys;
}
