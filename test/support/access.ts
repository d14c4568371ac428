/** A Cloudflare Access team whose keys the tests hold. */
import { exportJWK, generateKeyPair, type JWTPayload, SignJWT } from "jose";
import type { Bindings } from "../../src/bindings.ts";
import { bindings } from "./gateway.ts";

export interface AccessTeamDouble {
  /** Bindings of a gateway that trusts the team. */
  using: Bindings;
  /** A token of the team, for a person unless `claims` say otherwise. */
  token(claims?: JWTPayload, key?: CryptoKey): Promise<string>;
  /** Whether the team's keys can be fetched. */
  publish(status?: number): Promise<void>;
}

const AUDIENCE = "fedcba9876543210";
export const STAFF_EMAIL = "jane.roe@audit1.example";
export const STAFF_ID = "7335d417-61da-459d-899c-0a01c76a2f94";

/** Each name is a team of its own, whose keys no test has cached. */
export async function accessTeamDouble(name: string): Promise<AccessTeamDouble> {
  const issuer = `https://${name}.cloudflareaccess.com`;
  const pair = await generateKeyPair("RS256", { extractable: true });
  const key = { ...(await exportJWK(pair.publicKey)), kid: "1", alg: "RS256", use: "sig" };
  const double: AccessTeamDouble = {
    using: { ...bindings, ACCESS_TEAM: name, ACCESS_AUD: AUDIENCE },
    token: (claims = {}, signing = pair.privateKey) => {
      const seconds = Math.floor(Date.now() / 1_000);
      const person = { sub: STAFF_ID, email: STAFF_EMAIL };
      const payload = {
        iss: issuer,
        aud: [AUDIENCE],
        iat: seconds,
        exp: seconds + 86_400,
        ...person,
        ...claims,
      };
      return new SignJWT(payload).setProtectedHeader({ alg: "RS256", kid: "1" }).sign(signing);
    },
    publish: async (status = 200) => {
      await fetch(`${issuer}/cdn-cgi/access/certs`, {
        method: "PUT",
        headers: { "Content-Type": "application/json", "X-Status": String(status) },
        body: JSON.stringify({ keys: [key] }),
      });
    },
  };
  await double.publish();
  return double;
}
