/** `npm start` as a new user meets it: a real process in a copy of the project, the README's curl, a kill -9 in between. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer as createHttpServer } from "node:http";
import { networkInterfaces } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, it, vi } from "vitest";
import type { Demo } from "../../dev/demo.ts";
import { edited } from "../proofs/faults/build.ts";
import { localMails } from "./mailbox.ts";
import { shellBlock } from "./pages.ts";
import { copyProject, freePort } from "./project-copy.ts";

const STARTED = { timeout: 60_000, interval: 200 };
const copy = copyProject();
let port = 0;
let running: ChildProcess | null = null;
let output = "";

beforeAll(async () => {
  wakeSoonAgain();
  port = await freePort();
});

afterAll(async () => {
  await stop("SIGKILL");
  rmSync(copy, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 });
});

it("starts on a fresh copy, and shows a report on its way to a file", async () => {
  await start();
  expect(output).toMatch(/answered 202: FILE_/);
  expect(output).toMatch(/completed/);
  const demo = readDemo();
  expect(demo.base_url).toBe(`http://127.0.0.1:${port}`);
  expect(Object.values(demo).every((value) => typeof value === "string" && value !== "")).toBe(true);
});

it("is healthy as soon as its cron has run, and shows the portal the numbers", async () => {
  const { base_url: base, portal_client_id: id, portal_client_secret: secret } = readDemo();
  const headers = { "X-Client-ID": id, "X-Client-Secret": secret };
  const health = async () => (await fetch(`${base}/health`, { headers })).json();
  await expect.poll(health, { timeout: 20_000, interval: 1_000 }).toMatchObject({
    status: "ok",
    late: [],
    checks: { cron: { last_run_at: expect.any(String) }, queues: { files: { backlog: 0 } } },
  });
  expect(await (await fetch(`${base}/health`)).json()).toEqual({ status: "ok", late: [] });
});

it("serves /docs, with every page that it leads to", async () => {
  const { base_url: base } = readDemo();
  const overview = await (await fetch(`${base}/docs`)).text();
  const paths = new Set([...overview.matchAll(/href="(\/[^"#]*)/g)].map(([, link = ""]) => link));
  expect(paths.size).toBeGreaterThan(10);
  for (const link of paths) expect([link, (await fetch(`${base}${link}`)).status]).toEqual([link, 200]);
});

it("accepts the README's signed request, and creates a file with the same bytes", async () => {
  const answer = runShell(shellBlock("signed-request"));
  expect(answer).toMatchObject({ success: true, status: "queued", duplicate: false });
  const body = /^BODY='(.*)'$/m.exec(shellBlock("signed-request"))?.[1] ?? "";
  await expectFile(answer.file_id, body);
});

it("lists the files with the README's bearer request", () => {
  const list = runShell(`${shellBlock("signed-request").split("\n")[0]}\n${shellBlock("status")}`);
  expect(list.files.length).toBeGreaterThanOrEqual(2);
  expect(list.files[0].connection_id).toBe(readDemo().connection_id);
});

it("registers a webhook with the README's request, and delivers to the README's receiver what happens", async () => {
  const receiverPort = await freePort();
  const registered = register(receiverPort);
  const receiver = spawn("node", ["docs/receivers/every-v1.mjs"], {
    cwd: copy,
    env: { ...process.env, PORT: String(receiverPort), WEBHOOK_SECRET: registered.secret },
  });
  try {
    let heard = "";
    receiver.stdout.on("data", (chunk: Buffer) => (heard += chunk.toString()));
    await vi.waitFor(() => expect(heard).toContain("listening"), STARTED);
    const { base_url, owner_client_id, owner_client_secret } = readDemo();
    const tested = await fetch(`${base_url}/api/v1/webhooks/${registered.webhook.id}/test`, {
      method: "POST",
      headers: { "X-Client-ID": owner_client_id, "X-Client-Secret": owner_client_secret },
    });
    expect(await tested.json()).toMatchObject({ success: true });
    await vi.waitFor(() => expect(heard).toContain("webhook.test evt_test_"), STARTED);
    sendAnotherReport();
    for (const type of ["file.uploaded", "file.validated", "file.processed"])
      await vi.waitFor(() => expect(heard).toContain(type), STARTED);
  } finally {
    receiver.kill();
  }
});

it("mails the webhook's contact that the endpoint is gone, without the event and without a secret", async () => {
  let delivered = "";
  const endpoint = createHttpServer(async (request, response) => {
    delivered = (await request.toArray()).join("");
    response.writeHead(410).end("moved away");
  });
  const endpointPort = await freePort();
  await new Promise<void>((resolve) => endpoint.listen(endpointPort, resolve));
  try {
    const { webhook, secret } = register(endpointPort, [
      ['"file.*","audit.completed"', '"file.uploaded"'],
      ['"events"', '"notification_email":"integrations@demo-payroll.test","events"'],
    ]);
    sendAnotherReport();
    const { base_url } = readDemo();
    const [disabled] = await vi.waitFor(async () => {
      await fetch(`${base_url}/cdn-cgi/handler/scheduled?cron=*+*+*+*+*`);
      const mails = await localMails(base_url, copy);
      const found = mails.filter(({ subject }) => subject.endsWith(`: localhost:${endpointPort}`));
      expect(found.map(({ subject }) => subject)).toEqual([`Webhook disabled: localhost:${endpointPort}`]);
      return found;
    }, STARTED);

    const event = JSON.parse(delivered);
    expect(disabled).toMatchObject({ from: "webhooks@audit1.test", to: ["integrations@demo-payroll.test"] });
    expect(disabled?.text).toContain(`Webhook ${webhook.id} (localhost:${endpointPort}/`);
    expect(disabled?.text).toContain("it answered 410 Gone");
    expect(disabled?.text).toMatch(/set the webhook's status to active, then replay/);
    const secrets = [secret.replace("whsec_", ""), "moved away", event.id, ...leavesOf(event.data)];
    expect(secrets.length).toBeGreaterThan(6);
    // As words: a number of the event may well be part of an id or a time.
    for (const value of secrets)
      expect(JSON.stringify(disabled)).not.toMatch(new RegExp(`(?<!\\w)${RegExp.escape(value)}(?!\\w)`));
  } finally {
    endpoint.close();
  }
});

it("sends reports with npm run send, and sums up the outcomes", () => {
  const sent = spawnSync("npm", ["run", "-s", "send", "--", "--count", "20", "--concurrency", "4"], {
    cwd: copy,
    encoding: "utf8",
  });
  expect(sent.stdout + sent.stderr).toMatch(/accepted\s+20\b/);
  expect(sent.status).toBe(0);
});

it("loses no accepted report when everything is killed, and keeps its data", async () => {
  const demo = readDemo();
  const fileIds = Array.from({ length: 10 }, sendAnotherReport);
  expect(new Set(fileIds).size).toBe(10);
  await stop("SIGKILL");
  await vi.waitFor(() => expectClosed(port), STARTED);
  await start({ HOST: "0.0.0.0" }, ["run", "dev"]);
  expect(output).toMatch(/kept from an earlier start/);
  // Each start makes new links to the console.
  const { console_url, owner_console_url, ...kept } = readDemo();
  expect(demo).toMatchObject(kept);
  expect([console_url, owner_console_url]).not.toContain(demo.console_url);
  for (const at of [port, port + 1])
    expect((await fetch(`http://${outerAddress()}:${at}/`)).status).toBe(404);
  for (const fileId of fileIds) await expectCompleted(fileId);
});

it("`npm run dev` reports a source that does not build, and serves again once it does", async () => {
  const { connection_id, base_url, api_key } = readDemo();
  await vi.waitFor(() => expect(output).toContain("Watching src"), STARTED);
  const repair = breakSource();
  await vi.waitFor(() => expect(output).toMatch(/model\.ts:\d+:\d+.*Waiting for the next change/s), STARTED);
  expect(output).not.toContain("The Workers are running again");
  repair();
  await vi.waitFor(() => expect(output).toContain("The Workers are running again"), STARTED);
  const list = await fetch(`${base_url}/api/v1/files?connection_id=${connection_id}`, {
    headers: { Authorization: `Bearer ${api_key}` },
  });
  expect(list.status).toBe(200);
});

it("stops on SIGINT and leaves nothing listening", async () => {
  await stop("SIGINT");
  await vi.waitFor(() => expectClosed(port), STARTED);
  await vi.waitFor(() => expectClosed(port + 1), STARTED);
});

it("`npm start` fails with the place of the error in a source that does not build", async () => {
  const repair = breakSource();
  try {
    const child = launch();
    await vi.waitFor(() => expect(output).toMatch(/model\.ts:\d+:\d+/), STARTED);
    await vi.waitFor(() => expect(child.exitCode).toBe(1), STARTED);
    expect(output).not.toContain("✓ Gateway on");
  } finally {
    repair();
  }
});

it("looks into the archive and forgets everything with the README's commands", () => {
  const run = (...args: string[]) =>
    spawnSync("npm", ["run", "-s", ...args], { cwd: copy, encoding: "utf8" });
  const listed = run("archive", "--", "list");
  expect(listed.stderr).toContain("Nothing is archived here yet.");
  expect(listed.status).toBe(0);
  const reset = run("reset");
  expect(reset.stdout).toContain("Removed .dev, .dev.vars");
  expect(existsSync(path.join(copy, ".dev"))).toBe(false);
});

/** A wake-up that was lost costs the copy's gates five seconds instead of a minute. */
function wakeSoonAgain(): void {
  const file = "src/gate/state.ts";
  const find = "WAKE_AGAIN_AFTER_MS = 60_000;";
  writeFileSync(path.join(copy, file), edited({ file, find, replace: "WAKE_AGAIN_AFTER_MS = 5_000;" }));
}

/** Breaks a file that the Worker's entry imports. The entry itself is also parsed before the build. Returns the repair. */
function breakSource(): () => void {
  const source = path.join(copy, "src/model.ts");
  const original = readFileSync(source, "utf8");
  writeFileSync(source, `${original}\nconst = broken;\n`);
  return () => writeFileSync(source, original);
}

/** An address of this machine that others reach it at. */
function outerAddress(): string {
  const addresses = Object.values(networkInterfaces()).flatMap((all) => all ?? []);
  return addresses.find(({ family, internal }) => family === "IPv4" && !internal)?.address ?? "127.0.0.1";
}

async function start(environment: Record<string, string> = {}, script = ["start"]): Promise<void> {
  const child = launch(environment, script);
  await vi.waitFor(() => {
    if (child.exitCode !== null) throw new Error(`npm start ended:\n${output}`);
    expect(output, output).toContain("Ctrl-C stops it");
  }, STARTED);
}

function launch(environment: Record<string, string> = {}, script = ["start"]): ChildProcess {
  output = "";
  const child = spawn("npm", script, {
    cwd: copy,
    detached: true,
    env: { ...process.env, ...environment, PORT: String(port) },
  });
  running = child;
  for (const stream of [child.stdout, child.stderr])
    stream.on("data", (chunk: Buffer) => (output += chunk.toString()));
  return child;
}

async function stop(signal: "SIGINT" | "SIGKILL"): Promise<void> {
  const child = running;
  running = null;
  if (child?.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once("exit", resolve));
  process.kill(-child.pid, signal);
  await ended;
}

function readDemo(): Demo {
  return JSON.parse(readFileSync(path.join(copy, ".dev/demo.json"), "utf8"));
}

// biome-ignore lint/suspicious/noExplicitAny: an answer of the gateway, looked into field by field
function runShell(script: string): any {
  const run = spawnSync("bash", ["-euo", "pipefail", "-c", script], { cwd: copy, encoding: "utf8" });
  if (run.status !== 0) throw new Error(run.stderr);
  return JSON.parse(run.stdout);
}

let reports = 0;

/**
 * Sends the README's report with a policy number of its own, and returns its file id. The README's timestamps are whole seconds,
 * so the same report sent twice in a second would be a duplicate.
 */
function sendAnotherReport(): string {
  reports += 1;
  const answer = runShell(shellBlock("signed-request").replace("WC1025561", `WC${1_025_561 + reports}`));
  expect(answer).toMatchObject({ success: true, duplicate: false });
  return answer.file_id;
}

/** The README's registration for a receiver on `receiverPort`, with the given changes. */
function register(receiverPort: number, changes: [string, string][] = []): ReturnType<typeof runShell> {
  const script = `${shellBlock("signed-request").split("\n")[0]}\n${shellBlock("register")}`;
  const replaced = [["localhost:3000", `localhost:${receiverPort}`] as const, ...changes];
  return runShell(replaced.reduce((text, [from, to]) => text.replace(from, to), script));
}

/** Every text and number in it. */
function leavesOf(value: unknown): string[] {
  if (typeof value === "object" && value !== null) return Object.values(value).flatMap(leavesOf);
  return typeof value === "string" || typeof value === "number" ? [String(value)] : [];
}

async function expectCompleted(fileId: string): Promise<void> {
  const demo = readDemo();
  await vi.waitFor(
    async () => {
      const status = await fetch(`${demo.base_url}/api/v1/files/status/${fileId}`, {
        headers: { Authorization: `Bearer ${demo.api_key}` },
      });
      expect(await status.json()).toMatchObject({ file_id: fileId, status: "completed" });
    },
    { timeout: 100_000, interval: 500 },
  );
}

async function expectFile(fileId: string, body: string): Promise<void> {
  await expectCompleted(fileId);
  const raw = await fetch(`${readDemo().files_creator_url}/files/${fileId}/raw`);
  const digest = (bytes: string | Buffer) => createHash("sha256").update(bytes).digest("hex");
  expect(digest(Buffer.from(await raw.arrayBuffer()))).toBe(digest(body));
}

async function expectClosed(closed: number): Promise<void> {
  await expect(fetch(`http://127.0.0.1:${closed}/health`)).rejects.toThrow();
}
