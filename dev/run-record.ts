/**
 * Records which process runs on this checkout's state. The record outlives a crash, so it counts only while the process with
 * the recorded id is one of ours.
 */

import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, rmSync } from "node:fs";
import * as z from "zod";
import { workspace, writePrivately } from "./workspace.ts";

const runRecord = z.object({
  /** The process of `npm start`. */
  pid: z.int().positive(),
  /** The process group of the Workers. */
  group: z.int().positive(),
  port: z.int().positive(),
});

export type RunRecord = z.infer<typeof runRecord>;

const OURS = /workerd|dev\/serve\.ts/;

export function recordRun(record: RunRecord): void {
  writePrivately(workspace.run, JSON.stringify(record));
}

export function forgetRun(): void {
  rmSync(workspace.run, { force: true });
}

/** The run in progress, or null. Kills the processes that a dead run left behind. */
export function currentRun(): RunRecord | null {
  const record = readRecord();
  if (record === null) return null;
  const processes = listProcesses();
  if (processes.some(({ pid, command }) => pid === record.pid && command.includes("dev/start.ts")))
    return record;
  if (processes.some(({ group, command }) => group === record.group && OURS.test(command)))
    endGroup(record.group);
  forgetRun();
  return null;
}

/** Kills every process of a group, if it still exists. */
export function endGroup(group: number): void {
  try {
    process.kill(-group, "SIGKILL");
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ESRCH")) throw error;
  }
}

function readRecord(): RunRecord | null {
  if (!existsSync(workspace.run)) return null;
  try {
    return runRecord.parse(JSON.parse(readFileSync(workspace.run, "utf8")));
  } catch {
    return null;
  }
}

function listProcesses(): { pid: number; group: number; command: string }[] {
  const listing = execFileSync("ps", ["-A", "-o", "pid=,pgid=,args="], {
    encoding: "utf8",
    maxBuffer: 2 ** 26,
  });
  return listing.split("\n").flatMap((line) => {
    const [, pid, group, command] = /^\s*(\d+)\s+(\d+)\s+(.*)$/.exec(line) ?? [];
    return command === undefined ? [] : [{ pid: Number(pid), group: Number(group), command }];
  });
}
