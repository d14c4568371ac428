/** The signed door: what the inbound webhook demands, in the order of the wire contract's error table. */
import { toHex } from "../crypto/encoding.ts";
import type { Failure } from "../http/failure.ts";
import type { Connection, ConnectionDirectory } from "./connection-sender.ts";
import { checkHeaders } from "./headers.ts";
import { type ReceiveDeps, type Received, receive } from "./receive.ts";
import { verifySignature } from "./signature.ts";
import { inspectBody } from "./validate-body.ts";

export async function receiveSigned(
  connectionId: string,
  http: Request,
  requestId: string,
  deps: ReceiveDeps & { directory: ConnectionDirectory },
): Promise<Received<Connection>> {
  const limits = { maxBodyBytes: deps.settings.maxBodyBytes, now: Date.now() };
  const checked = checkHeaders(connectionId, http.headers, limits);
  if ("failure" in checked) return { failure: checked.failure, rate: null, sender: null };
  const { connectionId: name, signature, timestampMs, prefix } = checked.request;
  return receive(
    {
      kind: "payroll_report",
      directory: deps.directory,
      name,
      prefix,
      signed: "bytes" in signature ? { signature: toHex(signature.bytes), timestampMs } : null,
      whyClosed,
      async verify({ secrets }, signed) {
        if ("problem" in signature)
          return { failure: { kind: "invalid_signature", problem: signature.problem }, revisit: false };
        const now = Date.now();
        const keys = secrets.filter(({ expiresAt }) => expiresAt === null || expiresAt > now);
        const verified = await verifySignature(
          keys.map(({ key }) => key),
          signature.bytes,
          signed,
        );
        if (verified) return null;
        const bodyBytes = signed.byteLength - prefix.byteLength;
        return { failure: { kind: "invalid_signature", bodyBytes }, revisit: true };
      },
      inspect: inspectBody,
    },
    http,
    requestId,
    deps,
  );
}

/** Steps 6 to 8. */
function whyClosed(connection: Connection | null): Failure | null {
  if (connection === null) return { kind: "connection_not_found" };
  if (connection.type !== "webhook") return { kind: "not_a_webhook" };
  return connection.status === "active" ? null : { kind: "connection_inactive" };
}
