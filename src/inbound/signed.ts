/** The signed door: what the inbound webhook demands, in the order of the wire contract's error table. */
import { toHex } from "../crypto/encoding.ts";
import type { Failure } from "../http/failure.ts";
import type { Connection, ConnectionDirectory } from "./connection.ts";
import { checkHeaders } from "./headers.ts";
import { inspectBody } from "./inspect.ts";
import { type ReceiveDeps, type Received, receive } from "./receive.ts";
import { verifySignature } from "./signature.ts";

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
      signed: signature && { signature: toHex(signature), timestampMs },
      whyClosed,
      async verify({ secrets }, signed) {
        const invalid = { kind: "invalid_signature" } as const;
        if (signature === null) return { failure: invalid, revisit: false };
        const now = Date.now();
        const keys = secrets.filter(({ expiresAt }) => expiresAt === null || expiresAt > now);
        const verified = await verifySignature(
          keys.map(({ key }) => key),
          signature,
          signed,
        );
        return verified ? null : { failure: invalid, revisit: true };
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
