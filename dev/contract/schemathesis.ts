/**
 * `npm run proof -- schemathesis`: runs a generic fuzzer of OpenAPI documents against a local gateway. Needs Python; the
 * fuzzer is installed under .dev/ on first use. `SCHEMATHESIS_SEED` repeats a run, `SCHEMATHESIS_EXAMPLES` (50) limits the
 * cases per operation and phase.
 */
import { spawn, spawnSync } from "node:child_process";
import { createHmac } from "node:crypto";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { type Sender, startGateway } from "../../test/proofs/fuzz/gateway.ts";
import { workspace } from "../workspace.ts";
import { REPORT_EXAMPLES } from "./document.ts";

const folder = path.join(workspace.root, ".dev/schemathesis");
const python = path.join(folder, "bin/python");
const seed = process.env.SCHEMATHESIS_SEED ?? String(Date.now() % 1_000_000_000);
const examples = process.env.SCHEMATHESIS_EXAMPLES ?? "50";

const MORE_THAN_A_SCHEMA = [
  "listConnections",
  "listApiKeys",
  "listEmployers",
  "listWebhooks",
  "listDeliveries",
  "listEvents",
  "listFiles",
  "listAudit",
  "rewrapDataKeys",
  "createConnection",
  "createApiKey",
  "reportEvent",
  "replayWebhook",
  "submitPayrollReport",
  "syncEmployees",
];

install();
const gateway = await startGateway();
let failed = true;
try {
  const [connection] = await gateway.connections(1);
  if (connection === undefined) throw new Error("no connection was made");
  const fileId = await reportSentBy(connection);
  const config = path.join(folder, "schemathesis.toml");
  writeFileSync(config, configuration(connection.id, fileId), { mode: 0o600 });
  const url = `http://127.0.0.1:${gateway.port}`;
  const code = await run(
    [
      "--config-file",
      config,
      "run",
      `${url}/openapi.json`,
      "--url",
      url,
      "--seed",
      seed,
      "--no-color",
      ...process.argv.slice(2),
    ],
    {
      CONNECTION_SECRET: connection.secret,
      FILE_ID: fileId,
      SCHEMATHESIS_HOOKS: "hooks",
      PYTHONPATH: import.meta.dirname,
    },
  );
  failed = code !== 0;
  // The runtime's own lines, such as a receiver's name that does not resolve, are not JSON.
  for (const error of gateway.errors.filter((line) => line.startsWith("{"))) {
    failed = true;
    console.log(`the gateway logged an error: ${error}`);
  }
} finally {
  await gateway.stop();
}
process.exit(failed ? 1 : 0);

/** The settings that have no command-line option. Contains credentials of this run's gateway. */
function configuration(connectionId: string, fileId: string): string {
  return `
continue-on-failure = true
# Slow enough for the lookup limit of one address, so no 5xx is expected.
rate-limit = "15/s"
generation.max-examples = ${examples}

[checks]
enabled = true
# This check compares Allow with one path, but /employers/import also matches the path of an employer with this id.
allow_header_conformance.enabled = false

# Matches any version; a wrong one would be rejected before anything else is checked.
[parameters]
"header.If-Match" = "*"

[auth.openapi.portalClientId]
api_key = ${JSON.stringify(gateway.client.id)}

[auth.openapi.portalClientSecret]
api_key = ${JSON.stringify(gateway.client.secret)}

[auth.openapi.apiKey]
bearer = ${JSON.stringify(gateway.apiKey)}

# Placeholders: a hook signs the bytes as sent.
[auth.openapi.webhookSignature]
api_key = "0000"

[auth.openapi.webhookTimestamp]
api_key = "0"

# 412 is correct for a version that is not the object's.
[checks.positive_data_acceptance]
expected-statuses = ["2xx", "3xx", 401, 403, 404, 409, 412, 429, "5xx"]

# Field problems are warnings at this endpoint; they never cause a rejection.
[[operations]]
include-operation-id = "receiveReport"
parameters = { connection_id = ${JSON.stringify(connectionId)} }
checks.negative_data_rejection.enabled = false

[[operations]]
include-operation-id = ["getFileStatus", "replayFile"]
parameters = { file_id = ${JSON.stringify(fileId)} }

# Rules that a schema cannot express: a cursor must come from the same list, an unbound client must name an owner, a URL
# must be public, and a period must not end before it begins.
[[operations]]
include-operation-id = ${JSON.stringify(MORE_THAN_A_SCHEMA)}
checks.positive_data_acceptance.enabled = false

# The fuzzer accepts fewer e-mail addresses than the schema's pattern.
[[operations]]
include-operation-id = ["createWebhook", "changeWebhook", "putWebhook"]
checks.positive_data_acceptance.enabled = false
checks.negative_data_rejection.enabled = false

# A problem with a line is reported in the response and does not reject other lines.
[[operations]]
include-operation-id = "importEmployers"
checks.negative_data_rejection.enabled = false

# Always an error, whatever is sent.
[[operations]]
include-operation-id = "receiveReportWithoutConnection"
checks.positive_data_acceptance.enabled = false
`;
}

async function reportSentBy({ id, secret }: Sender): Promise<string> {
  const body = JSON.stringify({ ...REPORT_EXAMPLES.report.value, employer_id: "EMP_FUZZ" });
  const timestamp = String(Date.now());
  const answer = await fetch(`http://127.0.0.1:${gateway.port}/api/v1/webhook/inbound/${id}`, {
    method: "POST",
    headers: {
      "Content-Type": "application/json",
      "X-Webhook-Timestamp": timestamp,
      "X-Webhook-Signature": createHmac("sha256", secret).update(`${timestamp}.${body}`).digest("hex"),
    },
    body,
  });
  if (answer.status !== 202) throw new Error(`a report was answered ${answer.status}`);
  return ((await answer.json()) as { file_id: string }).file_id;
}

function install(): void {
  const wanted = path.join(import.meta.dirname, "requirements.txt");
  if (!existsSync(python)) {
    mkdirSync(path.dirname(folder), { recursive: true });
    step("python3", ["-m", "venv", folder]);
  }
  step(python, ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", wanted]);
}

function step(command: string, args: string[]): void {
  const { status } = spawnSync(command, args, { stdio: "inherit" });
  if (status !== 0) throw new Error(`${command} ${args.join(" ")} did not succeed`);
}

function run(args: string[], env: Record<string, string>): Promise<number | null> {
  const child = spawn(path.join(folder, "bin/schemathesis"), args, {
    cwd: folder,
    env: { ...process.env, ...env },
    stdio: "inherit",
  });
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", resolve);
  });
}
