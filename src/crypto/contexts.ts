/**
 * The context (AAD) of every sealed value: where it rests and whose it is. A value that was copied to another place does not
 * open there. The strings are stored: changing a letter of one makes what is sealed under it unreadable.
 */
import { type Environment, type GateAddress, gateName } from "../model.ts";

/** What a payload's seal is bound to: the gate and the file. */
export function payloadContext(gate: GateAddress, fileId: string): string {
  return `payload:${gateName(gate)}:${fileId}`;
}

/** What a data key's wrapping is bound to: the row that owns it. */
export function dataKeyContext(gate: GateAddress): string {
  return `data-key:${gateName(gate)}`;
}

/** What an error text of the files-creator is sealed for. */
export function errorContext(gate: GateAddress, fileId: string): string {
  return `error:${gateName(gate)}:${fileId}`;
}

/** What a connection's secret is sealed for. */
export function secretContext(connectionId: string, secretId: string): string {
  return `connection-secret:${connectionId}:${secretId}`;
}

/** What an API key's token is sealed for, while a repeated creation may answer it. */
export function keyTokenContext(apiKeyId: string): string {
  return `api-key-token:${apiKeyId}`;
}

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
