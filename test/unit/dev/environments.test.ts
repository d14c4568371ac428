/** What every environment of wrangler.toml has in common, as wrangler reads it. */
import path from "node:path";
import { expect, it } from "vitest";
import { unstable_readConfig as readConfig } from "wrangler";

const config = path.resolve(import.meta.dirname, "../../../wrangler.toml");

it.each([undefined, "staging", "production"])(
  "%s fetches hosts of our own zones through their front door",
  (env) => {
    expect(readConfig({ config, env }).compatibility_flags).toContain("global_fetch_strictly_public");
  },
);

it.each(["staging", "production"])(
  "%s lets no webhook lead to our own zones, and speaks no plain http",
  (env) => {
    expect(readConfig({ config, env }).vars).toMatchObject({
      OWN_ZONES: "audit1.com, audit1.info",
      OWN_ZONE_TARGETS: "",
      ALLOW_INSECURE_ENDPOINTS: "",
    });
  },
);

it("production answers addresses of connections at the host of its own routes that is for reports", () => {
  const { vars, routes } = readConfig({ config, env: "production" });
  expect(vars.INBOUND_ORIGIN).toBe("https://webhooks.audit1.com");
  expect(routes).toContainEqual(expect.objectContaining({ pattern: "webhooks.audit1.com" }));
});
