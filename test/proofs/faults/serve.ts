/**
 * Serves the gateway under test until it is killed: a runtime on the given state, without a proxy in front.
 * gateway-process.ts starts it as the leader of a process group that includes the runtime, so that one signal ends all of it.
 */
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { convertV4MiniflareOptions, Miniflare, NoOpLog, type V4WorkerOptions } from "miniflare";

export interface ServeOrder {
  worker: V4WorkerOptions;
  state: string;
  migrations: string;
}

export type ServeAnswer = { ready: true; port: number } | { ready: false; reason: string };

/** Ends this process and its runtime at once. */
function endAll(): void {
  process.kill(-process.pid, "SIGKILL");
}
// Without the parent, nothing else stops the runtime.
process.on("disconnect", endAll);

async function serve({ worker, state, migrations }: ServeOrder): Promise<number> {
  const miniflare = new Miniflare(
    convertV4MiniflareOptions({
      host: "127.0.0.1",
      port: 0,
      cf: false,
      log: new NoOpLog(),
      handleStructuredLogs: ({ message }) => process.stdout.write(`${message}\n`),
      resourcePersistencePath: state,
      telemetry: { enabled: false },
      workers: [worker],
    }),
  );
  await miniflare.ready;
  await migrate(miniflare, migrations);
  return Number((await miniflare.unsafeGetDirectURL()).port);
}

/** Applies the migrations to a fresh database, as wrangler does. */
async function migrate(miniflare: Miniflare, folder: string): Promise<void> {
  const db = await miniflare.getD1Database("DB");
  const there = await db.prepare("SELECT 1 FROM sqlite_master WHERE name = 'connections'").first();
  if (there !== null) return;
  for (const file of readdirSync(folder)
    .filter((name) => name.endsWith(".sql"))
    .sort()) {
    const statements = readFileSync(path.join(folder, file), "utf8").split("--> statement-breakpoint");
    await db.batch(statements.map((statement) => db.prepare(statement)));
  }
}

function tell(answer: ServeAnswer): void {
  process.send?.(answer);
}

process.once("message", (order: ServeOrder) => {
  serve(order).then(
    (port) => tell({ ready: true, port }),
    (error: unknown) => tell({ ready: false, reason: String(error) }),
  );
});
