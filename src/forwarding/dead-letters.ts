/**
 * The dead-letter queue's consumer. A message comes here when the consumer died with it again and again; nothing is lost,
 * because the files' gates wake the consumer on their own. Operators are told which files were in it.
 */

import type { Bindings } from "../bindings.ts";
import { parseFileId } from "../gate/file-id.ts";
import { logError } from "../log.ts";
import { type FileWakeUp, fileWakeUp } from "../messages.ts";
import { gateName } from "../model.ts";
import { recordAttention } from "./stuck-files.ts";

const RETRY_S = 60;

export async function consumeDeadLetters(batch: MessageBatch<FileWakeUp>, env: Bindings): Promise<void> {
  for (const message of batch.messages) {
    const body = fileWakeUp.safeParse(message.body);
    try {
      const fileIds = body.success ? body.data.file_ids : [];
      logError("the forwarding consumer died with these files", {
        message_id: message.id,
        files: fileIds.join(","),
      });
      const files = fileIds.map((fileId) => parseFileId(fileId)).filter((parsed) => parsed !== null);
      for (const { gate } of files) await env.CONNECTION_GATE.getByName(gateName(gate)).poke();
      const unsettled = await unsettledOf(
        files.map(({ fileId }) => fileId),
        env,
      );
      await recordAttention(
        env.DB,
        unsettled.map(({ fileId, attempts, nextAttemptAt }) => {
          return {
            kind: "set",
            fileId,
            reason: "consumer_died",
            responseStatus: null,
            attempts,
            nextAttemptAt,
          };
        }),
      );
      message.ack();
    } catch (error) {
      logError("a dead letter was not handled", { message_id: message.id }, error);
      message.retry({ delaySeconds: RETRY_S });
    }
  }
}

async function unsettledOf(fileIds: string[], env: Bindings) {
  const records = [];
  for (const fileId of fileIds) {
    const gate = parseFileId(fileId)?.gate;
    const record = gate && (await env.CONNECTION_GATE.getByName(gateName(gate)).status(fileId));
    if (record?.status === "queued") records.push(record);
  }
  return records;
}
