/**
 * The context (AAD) of every sealed value: where it is stored and what it belongs to. A value that was copied to another place
 * cannot be unsealed there. Never change a string here: every value sealed with the old string would become unreadable.
 */
import { type Environment, type GateAddress, gateName } from "../model.ts";

/** A file's payload. */
export function payloadContext(gate: GateAddress, fileId: string): string {
  return `payload:${gateName(gate)}:${fileId}`;
}

/** The wrapped data key of a connection or an API key. */
export function dataKeyContext(gate: GateAddress): string {
  return `data-key:${gateName(gate)}`;
}

/** The files-creator's error response about a file. */
export function errorContext(gate: GateAddress, fileId: string): string {
  return `error:${gateName(gate)}:${fileId}`;
}

/** A connection's secret. */
export function secretContext(connectionId: string, secretId: string): string {
  return `connection-secret:${connectionId}:${secretId}`;
}

/** An API key's token, stored for as long as a repeated creation may return it. */
export function keyTokenContext(apiKeyId: string): string {
  return `api-key-token:${apiKeyId}`;
}

/** A portal link's token, stored for as long as a repeated creation may return it. */
export function linkTokenContext(linkId: string): string {
  return `portal-link-token:${linkId}`;
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

/** An event's data. The owner is not part of it, because each owner has its own data key. */
export function eventDataContext(environment: Environment, eventId: string): string {
  return `event:${environment}:${eventId}`;
}

export function answerHeadersContext(webhookId: string, eventSeq: number, attempt: number): string {
  return `answer-headers:${webhookId}:${eventSeq}:${attempt}`;
}

export function answerContext(webhookId: string, eventSeq: number, attempt: number): string {
  return `answer:${webhookId}:${eventSeq}:${attempt}`;
}
