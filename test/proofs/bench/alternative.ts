/** Runs the usual alternative in its own process. */
import { fork } from "node:child_process";
import { once } from "node:events";
import path from "node:path";
import type { Sender } from "./requests.ts";
import { cpuSecondsOf, freshState, type Server } from "./runtime.ts";

export const ALTERNATIVE_PATH = "/hooks/";

export async function startAlternative(senders: Sender[]): Promise<Server> {
  const database = path.join(freshState("alternative"), "reports.sqlite");
  const server = fork(path.join(import.meta.dirname, "alternative/server.js"), [database]);
  server.send(senders);
  const [port] = await once(server, "message");
  return {
    port: Number(port),
    cpuSeconds: () => cpuSecondsOf(server.pid),
    async stop() {
      server.disconnect();
      await once(server, "exit");
    },
  };
}
