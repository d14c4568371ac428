/** Runs command lines one after the other, with the terminal's input and output. */
import { spawnSync } from "node:child_process";
import { workspace } from "./workspace.ts";

/** Ends at the first command that fails. Returns its exit code, or 0. */
export function runSteps(steps: readonly string[], options: readonly string[] = []): number {
  for (const step of steps) {
    const [command = "", ...fixed] = step.split(" ");
    const { status, error } = spawnSync(command, [...fixed, ...options], {
      cwd: workspace.root,
      stdio: "inherit",
    });
    if (error !== undefined) throw error;
    if (status !== 0) return status ?? 1;
  }
  return 0;
}
