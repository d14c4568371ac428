/**
 * Attempts as they are stored: the start of the answer and some of its headers are sealed under the owner's key, because both may
 * hold secrets.
 */
import * as z from "zod";
import { answerContext, answerHeadersContext } from "../crypto/contexts.ts";
import { type DataKey, sealText } from "../crypto/vault.ts";
import { tryUnsealText } from "../db/owner-keys.ts";
import type { StoredAttempt } from "../db/schema.ts";
import type { AnswerHeaders, Attempt } from "./attempt-result.ts";
import type { DeliveryKey } from "./delivery-id.ts";

const headersAtRest = z.record(z.string(), z.string());

/** `number` counts from 1. Without a key nothing is kept of the answer. */
export async function sealAttempt(
  key: DataKey | null,
  { webhookId, eventSeq }: DeliveryKey,
  number: number,
  { startedAt, ms, kind, status, answer, headers = {}, tlsCause }: Attempt,
): Promise<StoredAttempt> {
  const place = [webhookId, eventSeq, number] as const;
  const sealedAnswer = key !== null && answer ? await sealText(key, answer, answerContext(...place)) : null;
  const sealedHeaders =
    key !== null && Object.keys(headers).length > 0
      ? await sealText(key, JSON.stringify(headers), answerHeadersContext(...place))
      : null;
  return {
    number,
    started_at: startedAt,
    ms,
    kind,
    status,
    answer: sealedAnswer,
    ...(sealedHeaders && { headers: sealedHeaders }),
    ...(tlsCause && { tls_cause: tlsCause }),
  };
}

/** A part that does not open any more is null. */
export async function unsealAnswer(
  key: DataKey,
  { webhookId, eventSeq }: DeliveryKey,
  { number, answer, headers }: Pick<StoredAttempt, "number" | "answer" | "headers">,
): Promise<{ answer: string | null; headers: AnswerHeaders | null }> {
  const place = [webhookId, eventSeq, number] as const;
  const opened =
    headers === undefined ? null : await tryUnsealText(key, headers, answerHeadersContext(...place));
  return {
    answer: answer === null ? null : await tryUnsealText(key, answer, answerContext(...place)),
    headers: opened === null ? null : headersAtRest.parse(JSON.parse(opened)),
  };
}
