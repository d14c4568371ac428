/** What each sealed value of the outbound side is bound to, as the vault's context. All are under the owner's data key. */
import type { Environment } from "../db/schema.ts";

export function webhookSecretContext(webhookId: string, secretId: string): string {
  return `webhook-secret:${webhookId}:${secretId}`;
}

export function webhookUrlContext(webhookId: string): string {
  return `webhook-url:${webhookId}`;
}

export function webhookHeadersContext(webhookId: string): string {
  return `webhook-headers:${webhookId}`;
}

/** The owner needs no naming: its key opens no other's. */
export function eventDataContext(environment: Environment, eventId: string): string {
  return `event:${environment}:${eventId}`;
}

export function answerHeadersContext(webhookId: string, eventSeq: number, attempt: number): string {
  return `answer-headers:${webhookId}:${eventSeq}:${attempt}`;
}

export function answerContext(webhookId: string, eventSeq: number, attempt: number): string {
  return `answer:${webhookId}:${eventSeq}:${attempt}`;
}
