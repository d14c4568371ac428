/**
 * Sends the example report and narrates its way to a file. Earlier use may have left the quota spent, a backlog, or ordered
 * faults: these are reported, and never stop the gateway.
 */

import { setTimeout as sleep } from "node:timers/promises";
import * as z from "zod";
import type { Demo } from "./demo.ts";
import { replaceConnection, type Say } from "./demo-setup.ts";
import { EXAMPLE_REPORT } from "./example-report.ts";
import type { GatewayClient } from "./gateway-client.ts";
import { type SentWithAnswer, sendReport, signReport } from "./send-report.ts";
import { shown, workspace } from "./workspace.ts";

const acceptance = z.object({ file_id: z.string().min(1) });

const FOLLOW_LIMIT_MS = 60_000;
const FOLLOW_POLL_MS = 200;

export interface ExampleRun {
  /** With a new connection, if the old one was rejected. */
  demo: Demo;
  /** Null if the report was not accepted. */
  fileId: string | null;
}

export async function runExample(gateway: GatewayClient, given: Demo, say: Say): Promise<ExampleRun> {
  let demo = given;
  let delivery = await sendExample(demo, say);
  if (delivery.answer?.status === 401 || delivery.answer?.status === 403) {
    say(`  Rejected: ${delivery.answer.text}`);
    say("  The connection has changed since: creating a new one");
    demo = await replaceConnection(gateway, demo, say);
    delivery = await sendExample(demo, say);
  }
  const fileId = acceptedFile(delivery);
  if (fileId === null) {
    say(`! The example report was not accepted: ${delivery.answer?.text ?? "no answer"}`);
    return { demo, fileId };
  }
  say(`✓ Signed report sent, answered ${delivery.answer?.status}: ${fileId}`);
  await showFile(gateway, demo, fileId, say);
  return { demo, fileId };
}

/** Retries the same request while the gateway answers 429 or 503. */
async function sendExample(demo: Demo, say: Say): Promise<SentWithAnswer> {
  const target = { url: demo.base_url, connection: demo.connection_id, secret: demo.secret };
  const body = new TextEncoder().encode(EXAMPLE_REPORT);
  const report = signReport(target, body, Date.now(), { wait: null, idempotencyKey: null });
  const first = await sendReport(report, false);
  if (first.answer !== null && first.answer.status !== 429 && first.answer.status !== 503) return first;
  say(`  ${first.answer?.status ?? "No answer"}: sending the same request again after Retry-After`);
  return sendReport(report, true);
}

function acceptedFile({ outcome, answer }: SentWithAnswer): string | null {
  if (outcome.kind !== "accepted" && outcome.kind !== "duplicate") return null;
  return acceptance.safeParse(JSON.parse(answer?.text ?? "null")).data?.file_id ?? null;
}

async function showFile(gateway: GatewayClient, demo: Demo, fileId: string, say: Say): Promise<void> {
  const status = await follow(gateway, fileId, demo.api_key, say);
  if (status !== "completed") {
    const what = status === "failed" ? "The files-creator rejected it" : `Still ${status} after a minute`;
    say(
      `! ${what}; see ${shown(workspace.gatewayLog)}, and ${demo.files_creator_url}/faults for ordered faults.`,
    );
    return;
  }
  const response = await fetch(`${demo.files_creator_url}/files/${fileId}`);
  const text = await response.text();
  if (!response.ok) {
    say(`! The files-creator does not have the file: ${response.status} ${text}`);
    return;
  }
  say("✓ The files-creator wrote this file:\n");
  for (const line of text.trimEnd().split("\r\n")) say(`    ${line}`);
}

/** Shows each change of status until the file is settled, for a minute at most. Returns the last status. */
async function follow(gateway: GatewayClient, fileId: string, key: string, say: Say): Promise<string> {
  const start = Date.now();
  let last = "";
  while (Date.now() - start < FOLLOW_LIMIT_MS) {
    const file = await gateway.fileStatus(fileId, key);
    if (file.status !== last) {
      const records = file.records_total
        ? `, ${file.records_processed ?? 0} of ${file.records_total} records`
        : "";
      say(`  ${file.status} after ${((Date.now() - start) / 1_000).toFixed(1)} s${records}`);
      last = file.status;
    }
    if (last === "completed" || last === "failed") break;
    await sleep(FOLLOW_POLL_MS);
  }
  return last;
}
