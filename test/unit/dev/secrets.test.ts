import { createHash } from "node:crypto";
import { parseEnv } from "node:util";
import { describe, expect, it } from "vitest";
import { filesCreatorVars, gatewayVars, makeSecrets } from "../../../dev/secrets.ts";

describe("the development secrets", () => {
  const secrets = makeSecrets();
  const gateway = parseEnv(gatewayVars(secrets));

  it("give the gateway a vault key of 32 bytes", () => {
    const [, kid, key] = /^([^:]+):(.+)$/.exec(gateway.VAULT_KEYS ?? "") ?? [];
    expect(kid).toBe("dev-1");
    expect(Buffer.from(key ?? "", "base64")).toHaveLength(32);
  });

  it("give the gateway the hash of each client's secret, never the secret", () => {
    const hash = (secret: string) => createHash("sha256").update(secret).digest("hex");
    expect(JSON.parse(gateway.PORTAL_CLIENTS ?? "")).toEqual([
      { id: "audit1-portal", secret_sha256: hash(secrets.portal.secret) },
      { id: "files-creator", secret_sha256: hash(secrets.files_creator.secret), role: "files_creator" },
      {
        id: "demo-owner",
        secret_sha256: hash(secrets.owner.secret),
        owner: { type: "payroll_company", id: "demo-payroll" },
      },
    ]);
    expect(gatewayVars(secrets)).not.toContain(secrets.portal.secret);
  });

  it("give the stand-in its own client", () => {
    expect(parseEnv(filesCreatorVars(secrets))).toEqual({
      PORTAL_CLIENT_ID: "files-creator",
      PORTAL_CLIENT_SECRET: secrets.files_creator.secret,
    });
  });

  it("differ each time they are made", () => {
    expect(makeSecrets()).not.toEqual(secrets);
  });
});
