/** The intake for payroll systems: what it requires of a signed request, in the order of the wire contract's error table. */
import { toHex } from "../crypto/encoding.ts";
import type { Failure } from "../http/failure.ts";
import type { ConnectionSender } from "./connection-sender.ts";
import { examinationTurns, examine } from "./diagnosis/examination.ts";
import { checkHeaders, type SignedRequest } from "./headers.ts";
import type { Intake, ReceiveDeps, Received, Unverified } from "./intake.ts";
import { receive } from "./receive.ts";
import type { SenderCache } from "./sender-cache.ts";
import { verifySignature } from "./signature.ts";
import { validateBody } from "./validate-body.ts";

export async function receiveSigned(
  connectionId: string,
  http: Request,
  requestId: string,
  senders: SenderCache<ConnectionSender>,
  deps: ReceiveDeps,
): Promise<Received<ConnectionSender>> {
  const limits = { maxBodyBytes: deps.settings.maxBodyBytes, now: Date.now() };
  const checked = checkHeaders(connectionId, http.headers, limits);
  if (!checked.ok) return { outcome: checked, rate: null, sender: null };
  return receive(
    signedIntake(checked.value, senders, { headers: http.headers, requestId }),
    http,
    requestId,
    deps,
  );
}

function signedIntake(
  { connectionId, signature, timestampMs, prefix }: SignedRequest,
  senders: SenderCache<ConnectionSender>,
  { headers, requestId }: { headers: Headers; requestId: string },
): Intake<ConnectionSender> {
  return {
    kind: "payroll_report",
    senders,
    senderName: connectionId,
    prefix,
    signed: signature.ok ? { signature: toHex(signature.value), timestampMs } : null,
    unknownSender: { kind: "webhook_connection_not_found" },
    refusalFor,
    async verify({ secrets }, signed): Promise<Unverified | null> {
      if (!signature.ok)
        return { failure: { kind: "invalid_signature", problem: signature.error }, restsOnRow: false };
      const now = Date.now();
      const active = secrets.filter(({ expiresAt }) => expiresAt === null || expiresAt > now);
      const keys = active.map(({ key }) => key);
      if (await verifySignature(keys, signature.value, signed)) return null;
      const bodyBytes = signed.byteLength - prefix.byteLength;
      return { failure: { kind: "invalid_signature", bodyBytes }, restsOnRow: true };
    },
    validate: validateBody,
    examine({ outcome, sender }, read, { env, settings, waitUntil }) {
      if (outcome.ok || outcome.error.kind !== "invalid_signature" || sender === null) return null;
      const { body } = read;
      const endTurn = examinationTurns.take(sender.id, body.byteLength, Date.now());
      if (endTurn === null) return null;
      const request = {
        signature: headers.get("X-Webhook-Signature") ?? "",
        timestamp: new TextDecoder().decode(prefix.subarray(0, -1)),
        body,
      };
      const diagnosis = examine(sender, requestId, request, {
        db: env.DB,
        keyRing: settings.keyRing,
      }).finally(() => {
        endTurn();
        read.release();
      });
      waitUntil(diagnosis);
      return diagnosis;
    },
  };
}

function refusalFor({ type, status }: ConnectionSender): Failure | null {
  if (type !== "webhook") return { kind: "not_a_webhook" };
  return status === "active" ? null : { kind: "connection_inactive" };
}
