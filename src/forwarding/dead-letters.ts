/**
 * The consumer of the dead-letter queue. A message arrives here after the files consumer has died with it repeatedly. No file
 * is lost: the gates' alarms wake their files again. This consumer lists the files that are still queued for operators.
 */

import type { Bindings } from "../bindings.ts";
import { parseFileId } from "../gate/file-id.ts";
import { logError } from "../log.ts";
import { type FileWakeUp, fileWakeUp } from "../messages.ts";
import { type GateAddress, gateName } from "../model.ts";
import { raiseDeadLetters } from "../raised-conditions.ts";
import { recordStuckFiles } from "./stuck-files.ts";

const RETRY_S = 60;

export async function consumeDeadLetters(batch: MessageBatch<FileWakeUp>, env: Bindings): Promise<void> {
  for (const message of batch.messages) {
    const body = fileWakeUp.safeParse(message.body);
    try {
      const fileIds = body.success ? body.data.file_ids : [];
      logError("received a dead letter of the files queue", {
        message_id: message.id,
        files: fileIds.join(","),
      });
      const files = fileIds.map((fileId) => parseFileId(fileId)).filter((parsed) => parsed !== null);
      for (const { gate } of files) await env.CONNECTION_GATE.getByName(gateName(gate)).poke();
      const queued = await queuedAmong(files, env);
      await recordStuckFiles(
        env.DB,
        queued.map(({ fileId, attempts, nextAttemptAt, facts }) => {
          return {
            kind: "set",
            fileId,
            reason: "consumer_died",
            responseStatus: null,
            attempts,
            nextAttemptAt,
            facts,
          };
        }),
      );
      message.ack();
    } catch (error) {
      logError("failed to handle a dead letter", { message_id: message.id }, error);
      message.retry({ delaySeconds: RETRY_S });
    }
  }
  await raiseDeadLetters(env, "files", batch);
}

async function queuedAmong(files: { fileId: string; gate: GateAddress }[], env: Bindings) {
  const records = [];
  for (const { fileId, gate } of files) {
    const record = await env.CONNECTION_GATE.getByName(gateName(gate)).status(fileId);
    if (record?.status === "queued") records.push(record);
  }
  return records;
}
