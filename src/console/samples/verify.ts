/** How a receiver verifies a delivery, as the console shows it. The tested receivers of the documentation contain these lines. */

export interface VerifySample {
  label: string;
  text: string;
}

/** By `Audit1-Signature` with `v1`, whichever of the secrets in force signed. */
export const VERIFY_SAMPLES: readonly VerifySample[] = [
  {
    label: "Node",
    text: `import { createHmac, timingSafeEqual } from "node:crypto";

const SECRET = process.env.WEBHOOK_SECRET ?? "";
const WINDOW_SECONDS = 300;

function isGenuine(body, header) {
  const parts = header.split(",").map((part) => part.split("="));
  const timestamp = parts.find(([name]) => name === "t")?.[1] ?? "";
  const age = Math.abs(Date.now() / 1000 - Number(timestamp || Number.NaN));
  if (!(age <= WINDOW_SECONDS)) return false;
  const expected = createHmac("sha256", SECRET).update(\`\${timestamp}.\`).update(body).digest();
  return parts.some(([name, hex]) => {
    const signature = Buffer.from(name === "v1" ? (hex ?? "") : "", "hex");
    return signature.length === expected.length && timingSafeEqual(signature, expected);
  });
}`,
  },
  {
    label: "Python",
    text: `import hashlib
import hmac
import os
import time

SECRET = os.environ["WEBHOOK_SECRET"].encode()
WINDOW_SECONDS = 300

def is_genuine(body: bytes, header: str) -> bool:
    """\`header\` is \`t=<Unix seconds>,v1=<hex>\`, during a rotation with one \`v1\` for each secret."""
    parts = [part.partition("=")[::2] for part in header.split(",")]
    timestamp = dict(parts).get("t", "")
    if not timestamp.isdecimal() or abs(time.time() - int(timestamp)) > WINDOW_SECONDS:
        return False
    expected = hmac.new(SECRET, f"{timestamp}.".encode() + body, hashlib.sha256).hexdigest()
    return any(name == "v1" and hmac.compare_digest(value.encode(), expected.encode()) for name, value in parts)`,
  },
];

/** Of the body alone, for webhooks with that signature format. */
export const VERIFY_BODY_ONLY: readonly VerifySample[] = [
  {
    label: "Node",
    text: `import { createHmac, timingSafeEqual } from "node:crypto";

const SECRET = process.env.WEBHOOK_SECRET ?? "";

function isGenuine(body, headers) {
  const expected = createHmac("sha256", SECRET).update(body).digest("hex");
  return areEqual(headers["audit1-signature"] ?? "", \`sha256=\${expected}\`);
}

function areEqual(given, expected) {
  return given.length === expected.length && timingSafeEqual(Buffer.from(given), Buffer.from(expected));
}`,
  },
  {
    label: "Python",
    text: `import hashlib
import hmac
import os

SECRET = os.environ["WEBHOOK_SECRET"].encode()

def is_genuine(body: bytes, headers) -> bool:
    expected = "sha256=" + hmac.new(SECRET, body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(headers.get("Audit1-Signature", "").encode(), expected.encode())`,
  },
];
