/** Shell commands that compute the signature of each scheme with openssl. They read $SECRET, $TIMESTAMP, $ID and $BODY. */
import type { SignatureScheme } from "../calculator/signature-schemes.ts";

export const OPENSSL: Record<SignatureScheme, string> = {
  inbound: `printf '%s.%s' "$TIMESTAMP" "$BODY" | openssl dgst -sha256 -hmac "$SECRET"`,
  timestamped: `printf '%s.%s' "$TIMESTAMP" "$BODY" | openssl dgst -sha256 -hmac "$SECRET"`,
  body_only: `printf '%s' "$BODY" | openssl dgst -sha256 -hmac "$SECRET"`,
  standard: `KEY=$(printf %s "\${SECRET#whsec_}" | openssl base64 -d -A | od -An -v -tx1 | tr -d ' \\n')
printf '%s.%s.%s' "$ID" "$TIMESTAMP" "$BODY" \\
  | openssl dgst -sha256 -mac HMAC -macopt "hexkey:$KEY" -binary | openssl base64`,
};
