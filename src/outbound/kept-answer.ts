/** What is kept of a receiver's answer: its start and some of its headers, sealed under the owner's key. Both may hold secrets. */
import * as z from "zod";
import { answerContext, answerHeadersContext } from "../crypto/contexts.ts";
import { type DataKey, sealText } from "../crypto/vault.ts";
import type { StoredAttempt } from "../db/schema.ts";
import { tryOpenText } from "./erased.ts";
import type { AnswerHeaders, Outcome } from "./outcome.ts";

/** The attempt that an answer was to. */
export interface AttemptKey {
  webhookId: string;
  eventSeq: number;
  /** Counted from 1. */
  attempt: number;
}

export type KeptAnswer = Pick<StoredAttempt, "answer" | "headers">;
export const NOTHING_KEPT: KeptAnswer = { answer: null };

const headersAtRest = z.record(z.string(), z.string());

export async function sealAnswer(
  key: DataKey,
  { webhookId, eventSeq, attempt }: AttemptKey,
  { answer, headers = {} }: Pick<Outcome, "answer" | "headers">,
): Promise<KeptAnswer> {
  const of = [webhookId, eventSeq, attempt] as const;
  const sealed = answer ? await sealText(key, answer, answerContext(...of)) : null;
  if (Object.keys(headers).length === 0) return { answer: sealed };
  return {
    answer: sealed,
    headers: await sealText(key, JSON.stringify(headers), answerHeadersContext(...of)),
  };
}

/** What does not open any more is null. */
export async function openAnswer(
  key: DataKey,
  { webhookId, eventSeq, attempt }: AttemptKey,
  { answer, headers }: KeptAnswer,
): Promise<{ answer: string | null; headers: AnswerHeaders | null }> {
  const of = [webhookId, eventSeq, attempt] as const;
  const opened = headers === undefined ? null : await tryOpenText(key, headers, answerHeadersContext(...of));
  return {
    answer: answer === null ? null : await tryOpenText(key, answer, answerContext(...of)),
    headers: opened === null ? null : headersAtRest.parse(JSON.parse(opened)),
  };
}
