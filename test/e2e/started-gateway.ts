/** `npm start`, with everything that its demonstration sets up, in a copy of the project, as a new user has it. */
import { spawn } from "node:child_process";
import { readFileSync, rmSync } from "node:fs";
import path from "node:path";
import type { Demo } from "../../dev/demo.ts";
import { copyProject, freePort } from "./project-copy.ts";

/** A busy machine takes a minute. */
const STARTED_WITHIN_MS = 110_000;

export interface StartedGateway {
  demo: Demo;
  /** Calls the portal API as the portal itself. */
  portal(method: string, route: string, body?: unknown): Promise<unknown>;
  stop(): Promise<void>;
}

export async function startGatewayInCopy(): Promise<StartedGateway> {
  const copy = copyProject();
  const port = await freePort();
  const child = spawn("npm", ["start"], {
    cwd: copy,
    env: { ...process.env, PORT: String(port) },
    stdio: ["ignore", "pipe", "pipe"],
    // A group of its own, so that everything it started ends with it.
    detached: true,
  });
  let output = "";
  const started = new Promise<void>((resolve, reject) => {
    const timer = setTimeout(
      () => reject(new Error(`npm start did not get ready:\n${output}`)),
      STARTED_WITHIN_MS,
    );
    for (const stream of [child.stdout, child.stderr])
      stream.on("data", (chunk: Buffer) => {
        output += chunk.toString();
        if (output.includes("The console has more to show")) resolve(clearTimeout(timer));
      });
    child.once("exit", () => reject(new Error(`npm start ended:\n${output}`)));
  });
  const stop = async () => {
    const ended = new Promise((resolve) => child.once("exit", resolve));
    if (child.pid !== undefined && child.exitCode === null) {
      process.kill(-child.pid, "SIGKILL");
      await ended;
    }
    rmSync(copy, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 });
  };
  try {
    await started;
  } catch (error) {
    await stop();
    throw error;
  }
  const demo = JSON.parse(readFileSync(path.join(copy, ".dev/demo.json"), "utf8")) as Demo;
  return { demo, stop, portal: (method, route, body) => callPortal(demo, method, route, body) };
}

async function callPortal(demo: Demo, method: string, route: string, body?: unknown): Promise<unknown> {
  const response = await fetch(`${demo.base_url}/api/v1${route}`, {
    method,
    headers: {
      "Content-Type": "application/json",
      "X-Client-ID": demo.portal_client_id,
      "X-Client-Secret": demo.portal_client_secret,
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${method} ${route}: ${response.status} ${text}`);
  return JSON.parse(text);
}
