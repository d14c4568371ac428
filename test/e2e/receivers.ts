/** The sample receivers of `docs/receivers`, started as their users start them. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import path from "node:path";

const folder = path.resolve(import.meta.dirname, "../../docs/receivers");

export const LANGUAGES = ["node", "python3"] as const;
export type Language = (typeof LANGUAGES)[number];

/** Whether the samples of a language can run here. In CI they all have to. */
export function isInstalled(language: Language): boolean {
  const found = spawnSync(language, ["--version"]).status === 0;
  if (!found && process.env.CI) throw new Error(`${language} is needed to prove that its samples work`);
  return found;
}

export interface Receiver {
  /** The status it answers a delivery with. */
  deliver(headers: Record<string, string>, body: Uint8Array): Promise<number>;
  /** What it has printed. */
  output(): string;
  stop(): void;
}

/** `name` as its Node sample is called; Python has underscores instead. */
export async function startReceiver(language: Language, name: string, secret: string): Promise<Receiver> {
  const file = language === "node" ? `${name}.mjs` : `${name.replaceAll("-", "_")}.py`;
  const child = spawn(language === "node" ? process.execPath : language, [path.join(folder, file)], {
    env: { ...process.env, WEBHOOK_SECRET: secret, PORT: "0" },
    stdio: ["ignore", "pipe", "inherit"],
  });
  let output = "";
  child.stdout?.on("data", (chunk) => {
    output += chunk;
  });
  const port = await portOf(child, () => output);
  return {
    deliver: async (headers, body) => {
      const response = await fetch(`http://127.0.0.1:${port}/webhooks/audit1`, {
        method: "POST",
        headers: { "Content-Type": "application/json", ...headers },
        body: body as Uint8Array<ArrayBuffer>,
      });
      return response.status;
    },
    output: () => output,
    stop: () => child.kill(),
  };
}

function portOf(child: ChildProcess, output: () => string): Promise<string> {
  return new Promise((resolve, reject) => {
    child.stdout?.on("data", () => {
      const port = /listening on (\d+)/.exec(output())?.[1];
      if (port !== undefined) resolve(port);
    });
    child.once("error", reject);
    child.once("exit", (code) => reject(new Error(`the receiver ended with ${code}`)));
  });
}
