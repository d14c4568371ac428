/** `npm run reset`: removes the local state and the development secrets. Fails while a gateway uses them. */

import { rmSync } from "node:fs";
import { Problem, runCommand } from "./problem.ts";
import { currentRun } from "./run-record.ts";
import { shown, workspace } from "./workspace.ts";

async function reset(): Promise<number> {
  const running = currentRun();
  if (running !== null) {
    throw new Problem(
      `A gateway is using this data: http://127.0.0.1:${running.port} (process ${running.pid}). Stop it first.`,
    );
  }
  const removed = [workspace.local, workspace.gatewayVars, workspace.filesCreatorVars];
  for (const target of removed) rmSync(target, { recursive: true, force: true });
  process.stdout.write(`Removed ${removed.map(shown).join(", ")}. \`npm start\` starts over.\n`);
  return 0;
}

await runCommand(reset);
