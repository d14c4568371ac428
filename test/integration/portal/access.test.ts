import { exportJWK, exportSPKI, generateKeyPair, type JWTPayload, SignJWT } from "jose";
import { afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import type { Bindings } from "../../../src/bindings.ts";
import { utf8 } from "../../../src/crypto/encoding.ts";
import { advance } from "../../support/forwarding.ts";
import { bindings, createApiKey, createConnection, type Json, send } from "../../support/gateway.ts";

const ISSUER = "https://acme-test.cloudflareaccess.com";
const AUDIENCE = "0123456789abcdef";
const EMAIL = "jane.roe@audit1.example";
const SUB = "7335d417-61da-459d-899c-0a01c76a2f94";

type Pair = Awaited<ReturnType<typeof generateKeyPair>>;
let rsa: Pair;
let ec: Pair;
let stranger: Pair;

afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

/** Bindings of their own, so that their keys are fetched anew. */
function withAccess(team = "acme-test", aud = AUDIENCE): Bindings {
  return { ...bindings, ACCESS_TEAM: team, ACCESS_AUD: aud };
}

async function publish(issuer: string, keys: Json[], status = 200): Promise<void> {
  await fetch(`${issuer}/cdn-cgi/access/certs`, {
    method: "PUT",
    headers: { "Content-Type": "application/json", "X-Status": String(status) },
    body: JSON.stringify({ keys }),
  });
}

const jwk = async ({ publicKey }: Pair, kid: string, alg: string): Promise<Json> => ({
  ...(await exportJWK(publicKey)),
  kid,
  alg,
  use: "sig",
});

beforeAll(async () => {
  rsa = await generateKeyPair("RS256", { extractable: true });
  ec = await generateKeyPair("ES256", { extractable: true });
  stranger = await generateKeyPair("RS256", { extractable: true });
  await publish(ISSUER, [await jwk(rsa, "rsa-1", "RS256"), await jwk(ec, "ec-1", "ES256")]);
});

interface Token {
  claims?: JWTPayload;
  header?: { alg: string; kid?: string };
  key?: Parameters<SignJWT["sign"]>[0];
  exp?: number | null;
}

const seconds = () => Math.floor(Date.now() / 1_000);

function token({
  claims = {},
  header = { alg: "RS256", kid: "rsa-1" },
  key,
  exp,
}: Token = {}): Promise<string> {
  const payload = { iss: ISSUER, aud: [AUDIENCE], sub: SUB, email: EMAIL, iat: seconds(), ...claims };
  const jwt = new SignJWT(payload).setProtectedHeader(header);
  if (exp !== null) jwt.setExpirationTime(exp ?? seconds() + 3_600);
  return jwt.sign(key ?? rsa.privateKey);
}

const ask = (jwt: string, using = withAccess(), headers: Json = {}, method = "GET", path = "/audit") =>
  send(`/api/v1${path}`, { method, headers: { "Cf-Access-Jwt-Assertion": jwt, ...headers } }, using);

describe("a person who signs in through Access", () => {
  it.each(["RS256", "ES256"])("may do what the portal itself may, with a token of %s", async (alg) => {
    const jwt =
      alg === "RS256" ? await token() : await token({ header: { alg, kid: "ec-1" }, key: ec.privateKey });
    const { id } = await createConnection({ owner_id: "someone" });
    expect((await ask(jwt, withAccess(), {}, "GET", `/connections/${id}`)).status).toBe(200);
  });

  it("is named by address in the audit trail, and nowhere in the log", async () => {
    const logs = [vi.spyOn(console, "log"), vi.spyOn(console, "error")];
    const { id } = await createConnection();
    const using = withAccess();
    const answer = await send(
      `/api/v1/connections/${id}`,
      {
        method: "PATCH",
        headers: { "Cf-Access-Jwt-Assertion": await token(), "Content-Type": "application/json" },
        body: JSON.stringify({ status: "inactive" }),
      },
      using,
    );
    expect(answer.status).toBe(200);
    const trail = await ask(await token(), using, {}, "GET", `/audit?subject=connection:${id}`);
    expect(trail.json.audit[0]).toMatchObject({ actor: `access:${EMAIL}`, action: "connection.updated" });
    const logged = JSON.stringify(logs.map((log) => log.mock.calls));
    expect(logged).toContain(`access:${SUB}`);
    expect(logged).not.toContain(EMAIL);
  });

  it("may be a service, under its token's name", async () => {
    const jwt = await token({ claims: { sub: "", email: undefined, common_name: "ci.access" } });
    expect((await ask(jwt)).status).toBe(200);
  });

  // A page of a sibling domain may post forms with the cookie, and several of the portal's requests need no body.
  it.each([
    ["cross-site", 401],
    ["same-site", 401],
    ["same-origin", 404],
    ["none", 404],
  ])("is not a page of elsewhere that makes the browser write: %s is answered %i", async (from, status) => {
    const headers = { "Sec-Fetch-Site": from };
    const path = "/files/FILE_1/replay";
    expect((await ask(await token(), withAccess(), headers, "POST", path)).status).toBe(status);
  });
});

describe("a token", () => {
  const none = (claims: Json) =>
    [{ alg: "none", kid: "rsa-1" }, claims]
      .map((part) => btoa(JSON.stringify(part)).replaceAll("=", ""))
      .join(".")
      .concat(".");

  it.each<[string, () => Promise<string>]>([
    ["that has expired", () => token({ exp: seconds() - 1 })],
    ["that never expires", () => token({ exp: null })],
    ["that is not valid yet", () => token({ claims: { nbf: seconds() + 600 } })],
    ["for another audience", () => token({ claims: { aud: ["another"] } })],
    ["of another issuer", () => token({ claims: { iss: "https://other.cloudflareaccess.com" } })],
    [
      "of an unknown key",
      () => token({ header: { alg: "RS256", kid: "unknown" }, key: stranger.privateKey }),
    ],
    ["of a stranger's key under a known id", () => token({ key: stranger.privateKey })],
    [
      "without a signature",
      async () => none({ iss: ISSUER, aud: AUDIENCE, email: EMAIL, exp: seconds() + 60 }),
    ],
    [
      "signed with the public key as if it were a secret",
      async () =>
        token({ header: { alg: "HS256", kid: "rsa-1" }, key: utf8(await exportSPKI(rsa.publicKey)) }),
    ],
    ["that names nobody", () => token({ claims: { email: undefined } })],
    ["that is none", async () => "not.a.token"],
    [
      "with a changed claim",
      async () => (await token()).replace(/\.[^.]+\./, `.${btoa('{"a":1}').replaceAll("=", "")}.`),
    ],
  ])("%s is refused with 401", async (_name, make) => {
    const answer = await ask(await make());
    expect(answer).toMatchObject({ status: 401, json: { code: "AUTHENTICATION_FAILED" } });
    expect(answer.json).not.toHaveProperty("details");
  });

  it("is ignored if Access is not set up", async () => {
    expect((await ask(await token(), bindings)).status).toBe(401);
  });

  it("does not make up for an invalid developer key beside it", async () => {
    const key = await createApiKey();
    const answer = await ask(await token({ exp: 1 }), withAccess(), { Authorization: `Bearer ${key.token}` });
    expect(answer.status).toBe(401);
  });

  it("does not make up for a wrong client secret", async () => {
    const pair = { "X-Client-ID": "portal", "X-Client-Secret": "wrong" };
    expect((await ask(await token(), withAccess(), pair)).status).toBe(401);
  });
});

describe("the team's keys", () => {
  const team = "moody-test";
  const issuer = `https://${team}.cloudflareaccess.com`;

  it("when they are unavailable, make a 503, because the token cannot be verified", async () => {
    await publish(issuer, [], 500);
    const answer = await ask(await token({ claims: { iss: issuer } }), withAccess(team));
    expect(answer).toMatchObject({ status: 503, json: { error: "Service unavailable" } });
    expect(JSON.stringify(answer.json)).not.toContain(team);
  });

  it("are fetched once, and reused while they are fresh", async () => {
    const using = withAccess(team);
    await publish(issuer, [await jwk(rsa, "rsa-1", "RS256")]);
    expect((await ask(await token({ claims: { iss: issuer } }), using)).status).toBe(200);
    await publish(issuer, [], 500);
    expect((await ask(await token({ claims: { iss: issuer } }), using)).status).toBe(200);
  });

  it("that the team has revoked are rejected within ten minutes, and new ones are known at once", async () => {
    const using = withAccess(team);
    await publish(issuer, [await jwk(rsa, "rsa-1", "RS256")]);
    expect((await ask(await token({ claims: { iss: issuer } }), using)).status).toBe(200);
    await publish(issuer, [await jwk(stranger, "rsa-2", "RS256")]);
    advance(31_000);
    const next = { header: { alg: "RS256", kid: "rsa-2" }, key: stranger.privateKey };
    expect((await ask(await token({ claims: { iss: issuer }, ...next }), using)).status).toBe(200);
    advance(600_000);
    expect((await ask(await token({ claims: { iss: issuer } }), using)).status).toBe(401);
  });
});

describe("a gateway with Access half configured", () => {
  it.each([
    ["acme", ""],
    ["", AUDIENCE],
    ["https://acme.cloudflareaccess.com", AUDIENCE],
    ["acme.evil.example/", AUDIENCE],
  ])("serves nobody: %j, %j", async (team, aud) => {
    expect((await ask(await token(), withAccess(team, aud))).status).toBe(503);
  });
});
