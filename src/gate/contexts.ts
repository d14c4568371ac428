/**
 * What each sealed value is bound to, as the vault's context: where it belongs and whose it is. A value that was copied to
 * another place does not open there.
 */
import { type GateAddress, gateName } from "./file-id.ts";

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
