/** What wrangler reads of each environment in wrangler.toml: the three agree in all but names, ids and variables. */
import path from "node:path";
import { expect, it } from "vitest";
import { unstable_readConfig as readConfig } from "wrangler";

const config = path.resolve(import.meta.dirname, "../../../wrangler.toml");
const DEPLOYED = ["staging", "production"];
/** What names, ids and addresses the environments have of their own. */
const OWN = new Set([
  "name",
  "targetEnvironment",
  "configPath",
  "userConfigPath",
  "topLevelName",
  "definedEnvironments",
  "workers_dev",
  "routes",
  "vars",
]);

/** The environment as text, with the names and ids of its own resources taken out. */
function shared(env: string | undefined) {
  const entries = Object.entries(readConfig({ config, env })).filter(([field]) => !OWN.has(field));
  const text = JSON.stringify(Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1))), null, 1);
  return text
    .replaceAll(/audit1-[a-z-]+?(?:-staging|-standin)?"/g, (name) =>
      name.replace(/-(?:staging|standin)"$/, '"'),
    )
    .replaceAll(/"(database_id|namespace_id)": "[^"]+"/g, '"$1": ""');
}

it.each(DEPLOYED)(
  "%s has the bindings, queues and limits of the local environment, under names of its own",
  (env) => {
    expect(shared(env)).toBe(shared(undefined));
  },
);

it("shares no database and no rate limit namespace between staging and production", () => {
  const [staging, production] = DEPLOYED.map((env) => {
    const { d1_databases, ratelimits } = readConfig({ config, env });
    return [d1_databases[0]?.database_id, ratelimits[0]?.namespace_id];
  });
  expect(staging?.every((id, index) => id !== production?.[index])).toBe(true);
});

it("a plain `wrangler deploy` finds no database, and has no route", () => {
  const { d1_databases, routes, workers_dev } = readConfig({ config });
  expect(d1_databases[0]?.database_id).toBe("00000000-0000-0000-0000-000000000000");
  expect(routes ?? []).toEqual([]);
  expect(workers_dev).toBe(false);
});

it.each([undefined, ...DEPLOYED])("%s fetches hosts of our own zones through their front door", (env) => {
  expect(readConfig({ config, env }).compatibility_flags).toContain("global_fetch_strictly_public");
});

it.each(DEPLOYED)("%s lets no webhook lead to our own zones, and speaks no plain http", (env) => {
  const { vars } = readConfig({ config, env });
  expect({ OWN_ZONE_TARGETS: "", ...vars }).toMatchObject({
    OWN_ZONES: "audit1.com, audit1.info",
    OWN_ZONE_TARGETS: "",
    ALLOW_INSECURE_ENDPOINTS: "",
  });
});

it("production has the console at a host of its own routes, and staging has none", () => {
  const { vars, routes } = readConfig({ config, env: "production" });
  expect(vars.CONSOLE_ORIGIN).toBe("https://console.audit1.com");
  expect(routes).toContainEqual({ pattern: "console.audit1.com", custom_domain: true });
  for (const env of [undefined, "staging"])
    expect(readConfig({ config, env }).vars).not.toHaveProperty("CONSOLE_ORIGIN");
});

it("production answers addresses of connections at the host of its own routes that is for reports", () => {
  const { vars, routes } = readConfig({ config, env: "production" });
  expect(vars.INBOUND_ORIGIN).toBe("https://webhooks.audit1.com");
  expect(routes).toContainEqual(expect.objectContaining({ pattern: "webhooks.audit1.com" }));
});
