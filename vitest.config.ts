import { cloudflareTest, readD1Migrations } from "@cloudflare/vitest-plugin";
import { defineConfig } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";

/** Secrets of the tests alone. The client secrets are "portal-secret" and "bound-secret". */
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

/** Whatever the Worker and its tests import of packages: what is not here loads its own copy of what it shares. */
const PACKAGES = [
  "@cfworker/json-schema",
  "drizzle-orm",
  "drizzle-orm/d1",
  "drizzle-orm/sqlite-core",
  "fast-check",
  "hono",
  "hono/combine",
  "hono/factory",
  "hono/html",
  "jose",
  "zod",
  "zod-openapi",
];

const MEMORY = "test/e2e/memory.test.ts";

/** They mostly wait, each about a minute: everything else runs beside them. */
const LONGEST = ["test/e2e/start.test.ts", "test/e2e/faults.test.ts", "test/e2e/fuzz.test.ts"];

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const isLong = ({ moduleId }: TestSpecification) => LONGEST.some((file) => moduleId.endsWith(file));
    const sorted = await super.sort(files);
    return [...sorted.filter(isLong), ...sorted.filter((file) => !isLong(file))];
  }
}

/** Tests that run inside workerd, on real parts. */
async function inWorkerd(name: string, include: string) {
  return {
    plugins: [
      cloudflareTest({
        wrangler: { configPath: "./wrangler.toml" },
        miniflare: {
          bindings: { ...TEST_SECRETS, MIGRATIONS: await readD1Migrations("./migrations") },
          // Nothing that a test fetches leaves the machine.
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
      // Some compute for seconds, on cores that others use too. Shorter than the stand-in's longest wait.
      testTimeout: 40_000,
      // Every runtime loads the Worker again: packages as one module each, not as the hundreds of files they come in.
      deps: { optimizer: { ssr: { enabled: true, include: PACKAGES } } },
    },
  };
}

/** Tests of what people run on their own machine, and of started gateways. */
function inNode(name: string, include: string, exclude: string[] = []) {
  return { test: { name, include: [include], exclude, testTimeout: 120_000, hookTimeout: 120_000 } };
}

/** Tests of pure functions: they use no binding, never load the Worker, and so may share a runtime. */
async function unit() {
  const project = await inWorkerd("unit", "test/unit/**/*.test.ts");
  return {
    ...project,
    test: { ...project.test, exclude: ["test/unit/dev/**"], setupFiles: [], isolate: false },
  };
}

export default defineConfig(async () => ({
  test: {
    // Many tests wait for what happens outside: one fewer than there are cores would leave most of two cores idle.
    maxWorkers: 4,
    sequence: { sequencer: LongestFirst },
    // What the Worker logs is shown of tests that fail.
    silent: "passed-only" as const,
    projects: [
      inNode("dev", "test/unit/dev/**/*.test.ts"),
      inNode("e2e", "test/e2e/**/*.test.ts", [MEMORY]),
      // Keeps a core busy with the largest bodies, whose senders have half a minute: `npm run proof -- memory`.
      inNode("memory", MEMORY),
      await unit(),
      await inWorkerd("integration", "test/integration/**/*.test.ts"),
      // Lives whole days of traffic: `npm run proof -- counts`.
      await inWorkerd("cost", "test/proofs/cost/**/*.test.ts"),
    ],
  },
}));
