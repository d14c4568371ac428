/**
 * `npm run archive -- list|read`: looks into the archive without the database and without a running gateway. Reports go to
 * standard output, everything else to standard error.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs, parseEnv } from "node:util";
import { getPlatformProxy } from "wrangler";
import { parseKeyRing } from "../src/crypto/vault.ts";
import { type Bucket, listArchive, readArchived } from "./archive-reader.ts";
import { Problem, runCommand } from "./problem.ts";
import { workspace } from "./workspace.ts";

const HELP = `Looks into the archive of settled reports. Needs only the bucket and the key ring.

  npm run archive -- list [--connection ID | --key ID]    all archived files, or those of one connection or API key
  npm run archive -- read FILE_…  [--out report.json]     one report, exactly as it was received

  --env staging|production   the bucket in the account (local: the one of npm start)

VAULT_KEYS is read from the environment, otherwise from .dev.vars. Reports are archived about an hour after they were
received (ARCHIVE_AFTER_SECONDS).`;

const OBJECT_ID = /^[0-9a-f]{24}$/;

async function main(): Promise<number> {
  const { values, positionals } = readArguments();
  const [command, fileId] = positionals;
  if (values.help || command === undefined) {
    console.error(HELP);
    return 0;
  }
  const proxy = await getPlatformProxy<{ ARCHIVE: Bucket }>({
    configPath: join(workspace.root, "dev/archive/wrangler.toml"),
    persist: { path: join(workspace.gatewayState, "v3") },
    ...(values.env !== undefined && { environment: values.env }),
  });
  try {
    const bucket = proxy.env.ARCHIVE;
    if (command === "list") await list(bucket, values);
    else if (command === "read" && fileId !== undefined) await read(bucket, fileId, values.out);
    else throw new Problem("Give a command: list, or read and a file id. --help has more.", 2);
    return 0;
  } finally {
    await proxy.dispose();
  }
}

function readArguments() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        connection: { type: "string" },
        key: { type: "string" },
        out: { type: "string" },
        env: { type: "string" },
        help: { type: "boolean", default: false },
      },
    });
  } catch (error) {
    throw new Problem(error instanceof Error ? error.message : "Could not read the arguments.", 2);
  }
}

async function list(
  bucket: Bucket,
  { connection, key }: { connection?: string | undefined; key?: string | undefined },
): Promise<void> {
  const id = connection ?? key;
  if (id !== undefined && !OBJECT_ID.test(id)) throw new Problem("The id must be 24 hex characters.");
  const gate =
    id === undefined ? null : ({ kind: connection === undefined ? "key" : "connection", id } as const);
  let files = 0;
  for await (const file of listArchive(bucket, gate)) {
    files++;
    console.log(
      [file.fileId, new Date(file.receivedAt).toISOString(), file.employerId, file.size, file.segment].join(
        "\t",
      ),
    );
  }
  console.error(files === 0 ? "Nothing is archived here yet." : `${files} archived files`);
}

async function read(bucket: Bucket, fileId: string, out: string | undefined): Promise<void> {
  const found = await readArchived(bucket, fileId, parseKeyRing(vaultKeys()));
  if (found === null)
    throw new Problem("This file is not in the archive. Until it is archived, only its gate has it.");
  const { file, payload } = found;
  console.error(
    `${file.fileId}  received ${new Date(file.receivedAt).toISOString()}  ${payload.byteLength} bytes  ${file.segment}`,
  );
  if (out === undefined) process.stdout.write(payload);
  else writeFileSync(out, payload, { mode: 0o600 });
}

function vaultKeys(): string | undefined {
  if (process.env.VAULT_KEYS) return process.env.VAULT_KEYS;
  try {
    return parseEnv(readFileSync(workspace.gatewayVars, "utf8")).VAULT_KEYS;
  } catch {
    throw new Problem("Set VAULT_KEYS: nothing in the archive can be unsealed without the key ring.");
  }
}

await runCommand(main);
