import { cloudflareTest, readD1Migrations } from "@cloudflare/vitest-plugin";
import { defineConfig } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";

/** Secrets for tests only. The client secrets are "portal-secret" and "bound-secret". */
const TEST_SECRETS = {
  VAULT_KEYS: "test-1:MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=",
  PORTAL_CLIENTS: JSON.stringify([
    { id: "portal", secret_sha256: "9792ab9d5299bb82a4b403da1bfa99def25e8884e678dd67281da34aedf5e881" },
    {
      id: "bound",
      secret_sha256: "84f9e945f165d62b49455a6e9900ec35a428076f57a378e18437b0f94afa8e5a",
      owner: { type: "payroll_company", id: "acme" },
    },
  ]),
};

/** All packages that the Worker and its tests import. A package that is not listed loads its own copy of shared modules. */
const PACKAGES = [
  "@cfworker/json-schema",
  "drizzle-orm",
  "drizzle-orm/d1",
  "drizzle-orm/sqlite-core",
  "fast-check",
  "hono",
  "hono/combine",
  "hono/cookie",
  "hono/csrf",
  "hono/factory",
  "hono/route",
  "hono/html",
  "hono/http-exception",
  "hono/jsx",
  "hono/jsx/jsx-runtime",
  "hono/jsx/jsx-dev-runtime",
  "jose",
  "zod",
  "zod-openapi",
];

const MEMORY = "test/e2e/memory.test.ts";

/** These files mostly wait, about a minute each, so they start first and all others run beside them. */
const LONGEST = [
  "test/e2e/start.test.ts",
  "test/e2e/console.test.ts",
  "test/e2e/faults.test.ts",
  "test/e2e/fuzz.test.ts",
];

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const isLong = ({ moduleId }: TestSpecification) => LONGEST.some((file) => moduleId.endsWith(file));
    const sorted = await super.sort(files);
    return [...sorted.filter(isLong), ...sorted.filter((file) => !isLong(file))];
  }
}

/** Tests that run inside workerd, with real bindings. */
async function inWorkerd(name: string, include: string) {
  return {
    plugins: [
      cloudflareTest({
        wrangler: { configPath: "./wrangler.toml" },
        miniflare: {
          bindings: { ...TEST_SECRETS, MIGRATIONS: await readD1Migrations("./migrations") },
          // No request of a test leaves the machine.
          outboundService: "audit1-outside",
          workers: [
            {
              name: "audit1-files-creator-standin",
              modules: true,
              compatibilityDate: "2026-10-23",
              scriptPath: "./test/support/files-creator.mjs",
            },
            {
              name: "audit1-outside",
              modules: true,
              compatibilityDate: "2026-10-23",
              scriptPath: "./test/support/outside.mjs",
            },
          ],
        },
      }),
    ],
    test: {
      name,
      include: [include],
      setupFiles: ["./test/support/setup.ts"],
      // Some tests compute for seconds on shared cores. Shorter than the stand-in's longest wait.
      testTimeout: 40_000,
      // Every runtime loads the Worker again, so packages are bundled into one module each.
      deps: { optimizer: { ssr: { enabled: true, include: PACKAGES } } },
    },
  };
}

/** Tests of the development tools and of started gateways. */
function inNode(name: string, include: string, exclude: string[] = []) {
  return { test: { name, include: [include], exclude, testTimeout: 120_000, hookTimeout: 120_000 } };
}

/** Tests of pure functions. They use no binding and never load the Worker, so they can share a runtime. */
async function unit() {
  const project = await inWorkerd("unit", "test/unit/**/*.test.ts");
  return {
    ...project,
    test: { ...project.test, exclude: ["test/unit/dev/**"], setupFiles: [], isolate: false },
  };
}

export default defineConfig(async () => ({
  test: {
    // Many tests mostly wait. The default, one worker fewer than there are cores, would leave two cores mostly idle.
    maxWorkers: 4,
    sequence: { sequencer: LongestFirst },
    // The Worker's log is shown only for failed tests.
    silent: "passed-only" as const,
    projects: [
      inNode("dev", "test/unit/dev/**/*.test.ts"),
      inNode("e2e", "test/e2e/**/*.test.ts", [MEMORY]),
      // Keeps a core busy with the largest bodies, which must arrive within half a minute: `npm run proof -- memory`.
      inNode("memory", MEMORY),
      await unit(),
      await inWorkerd("integration", "test/integration/**/*.test.ts"),
      // Simulates whole days of traffic: `npm run proof -- counts`.
      await inWorkerd("cost", "test/proofs/cost/**/*.test.ts"),
    ],
  },
}));
