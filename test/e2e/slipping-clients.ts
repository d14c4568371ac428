/**
 * Clients that sign as people do who get it wrong: scripts for bash (with openssl and curl), Node and Python. They find the
 * request in their environment: `URL`, `SECRET` and `OTHER_SECRET`; a compact report in `BODY`; the same report, indented and
 * with a newline at its end, in the file `FILE`. Each prints the status of the answer.
 */
import type { Diagnosis } from "../../src/evidence/request-entry.ts";

export interface SlippingClient {
  what: string;
  language: "bash" | "node" | "python3";
  script: string;
  diagnosis: Diagnosis[];
}

const BASH = String.raw`
now() { date +%s%3N; }
hmac() { openssl dgst -sha256 -hmac "$1" -r | cut -d' ' -f1; }
send() {
  curl -s -o "$FILE.answer" -w '%{http_code}' -X POST "$URL" -H 'Content-Type: application/json' \
    -H "X-Webhook-Timestamp: $1" -H "X-Webhook-Signature: $2" --data-binary "$3"
}
`;

const NODE = `
const { createHmac } = require("node:crypto");
const { readFileSync, writeFileSync } = require("node:fs");
const { URL: url, SECRET: secret, BODY: body, FILE: file } = process.env;
const timestamp = String(Date.now());
const stamped = (text, at = timestamp) => [at, text].join(".");
const hmac = (key, text) => createHmac("sha256", key).update(text);
async function send(signature, sent = body, header = timestamp) {
  const headers = {
    "Content-Type": "application/json",
    "X-Webhook-Timestamp": header,
    "X-Webhook-Signature": signature,
  };
  console.log((await fetch(url, { method: "POST", headers, body: sent })).status);
}
`;

const PYTHON = `
import base64, hashlib, hmac, json, os, time, urllib.error, urllib.request
url, secret, body = os.environ["URL"], os.environ["SECRET"], os.environ["BODY"]
timestamp = str(int(time.time() * 1000))
def digest(text, key=None):
    return hmac.new(secret.encode() if key is None else key, text.encode(), hashlib.sha256)
def send(signature, sent=body, header=timestamp):
    headers = {"Content-Type": "application/json", "X-Webhook-Timestamp": header, "X-Webhook-Signature": signature}
    try:
        print(urllib.request.urlopen(urllib.request.Request(url, sent.encode(), headers)).status)
    except urllib.error.HTTPError as error:
        print(error.code)
`;

const PRELUDES = { bash: BASH, node: NODE, python3: PYTHON };

export function programOf({ language, script }: SlippingClient): { file: string; args: string[] } {
  const program = `${PRELUDES[language]}\n${script}`;
  return language === "bash"
    ? { file: "bash", args: ["-euo", "pipefail", "-c", program] }
    : {
        file: language === "node" ? process.execPath : language,
        args: [language === "node" ? "-e" : "-c", program],
      };
}

const bash = (what: string, script: string, ...diagnosis: Diagnosis[]): SlippingClient => ({
  what,
  language: "bash",
  script,
  diagnosis,
});
const node = (what: string, script: string, ...diagnosis: Diagnosis[]): SlippingClient => ({
  what,
  language: "node",
  script,
  diagnosis,
});
const python = (what: string, script: string, ...diagnosis: Diagnosis[]): SlippingClient => ({
  what,
  language: "python3",
  script,
  diagnosis,
});

export const SLIPPING_CLIENTS: SlippingClient[] = [
  bash(
    "signs the body alone",
    `send "$(now)" "$(printf %s "$BODY" | hmac "$SECRET")" "$BODY"`,
    "body_without_timestamp",
  ),
  python("signs the body alone", "send(digest(body).hexdigest())", "body_without_timestamp"),
  bash(
    "signs seconds, and sends milliseconds",
    `TS=$(date +%s); send "\${TS}000" "$(printf '%s.%s' "$TS" "$BODY" | hmac "$SECRET")" "$BODY"`,
    "timestamp_in_seconds",
  ),
  python(
    "signs seconds, and sends milliseconds",
    'send(digest(f"{int(timestamp) // 1000}.{body}").hexdigest())',
    "timestamp_in_seconds",
  ),
  bash(
    "signs what `echo` prints",
    `TS=$(now); send "$TS" "$(echo "$TS.$BODY" | hmac "$SECRET")" "$BODY"`,
    "newline_after_body",
  ),
  bash(
    "signs what `$(cat)` read, and sends the file",
    `TS=$(now); TEXT=$(cat "$FILE"); send "$TS" "$(printf '%s.%s' "$TS" "$TEXT" | hmac "$SECRET")" "@$FILE"`,
    "newline_after_body",
  ),
  bash(
    "uses a secret that `echo` put into a file",
    `echo "$SECRET" > "$FILE.secret"
     HEX=$(od -An -v -tx1 "$FILE.secret" | tr -d ' \\n'); TS=$(now)
     SIGNATURE=$(printf '%s.%s' "$TS" "$BODY" | openssl dgst -sha256 -mac HMAC -macopt "hexkey:$HEX" -r | cut -d' ' -f1)
     send "$TS" "$SIGNATURE" "$BODY"`,
    "newline_after_secret",
  ),
  node(
    "reads the secret from a file, with its newline",
    'writeFileSync(file + ".secret", secret + "\\n");\n' +
      'send(hmac(readFileSync(file + ".secret", "utf8"), stamped(body)).digest("hex"));',
    "newline_after_secret",
  ),
  bash(
    "signs the file with CR LF, and sends it with LF",
    `TS=$(now); send "$TS" "$( (printf '%s.' "$TS"; sed 's/$/\\r/' "$FILE") | hmac "$SECRET")" "@$FILE"`,
    "crlf",
  ),
  node(
    "signs LF, and sends CR LF as Windows writes it",
    'const text = readFileSync(file, "utf8");\n' +
      'send(hmac(secret, stamped(text)).digest("hex"), text.split("\\n").join("\\r\\n"));',
    "crlf",
  ),
  node(
    "signs what it parsed and printed, and sends the file without its last newline",
    'const text = readFileSync(file, "utf8").trimEnd();\n' +
      'send(hmac(secret, stamped(JSON.stringify(JSON.parse(text)))).digest("hex"), text);',
    "json_printed_anew",
  ),
  node(
    "signs an indented print, and sends a compact one",
    'send(hmac(secret, stamped(JSON.stringify(JSON.parse(body), null, 4))).digest("hex"));',
    "json_printed_anew",
  ),
  python(
    "signs json.dumps, and sends what it was given",
    'send(digest(f"{timestamp}.{json.dumps(json.loads(body))}").hexdigest())',
    "json_printed_anew",
  ),
  python(
    "signs json.dumps, and sends it with accents",
    "data = json.loads(body)\n" +
      'send(digest(f"{timestamp}.{json.dumps(data)}").hexdigest(), json.dumps(data, ensure_ascii=False))',
    "json_printed_anew",
  ),
  node(
    "puts `sha256=` before it",
    'send("sha256=" + hmac(secret, stamped(body)).digest("hex"));',
    "prefixed",
  ),
  bash(
    "sends all that openssl prints",
    `TS=$(now); send "$TS" "$(printf '%s.%s' "$TS" "$BODY" | openssl dgst -sha256 -hmac "$SECRET")" "$BODY"`,
    "prefixed",
  ),
  node(
    "follows GitHub's scheme",
    'send("sha256=" + hmac(secret, body).digest("hex"));',
    "body_without_timestamp",
    "prefixed",
  ),
  node("sends base64", 'send(hmac(secret, stamped(body)).digest("base64"));', "base64"),
  node("sends base64url", 'send(hmac(secret, stamped(body)).digest("base64url"));', "base64"),
  bash(
    "sends base64 of the body's signature",
    `send "$(now)" "$(printf %s "$BODY" | openssl dgst -sha256 -hmac "$SECRET" -binary | openssl base64 -A)" "$BODY"`,
    "body_without_timestamp",
    "base64",
  ),
  python("sends base64", 'send(base64.b64encode(digest(f"{timestamp}.{body}").digest()).decode())', "base64"),
  node(
    "sends upper case with dashes, as BitConverter prints it",
    "const bytes = [...hmac(secret, stamped(body)).digest()];\n" +
      'send(bytes.map((byte) => byte.toString(16).padStart(2, "0").toUpperCase()).join("-"));',
    "dashed",
  ),
  bash(
    "uses the secret of before the rotation",
    `TS=$(now); send "$TS" "$(printf '%s.%s' "$TS" "$BODY" | hmac "$ENDED_SECRET")" "$BODY"`,
    "ended_secret",
  ),
  bash(
    "cuts the secret's prefix off",
    `TS=$(now); send "$TS" "$(printf '%s.%s' "$TS" "$BODY" | hmac "\${SECRET#whsec_}")" "$BODY"`,
    "secret_without_prefix",
  ),
  node(
    "decodes the secret after its prefix",
    'const key = Buffer.from(secret.slice("whsec_".length), "base64");\n' +
      'send(hmac(key, stamped(body)).digest("hex"));',
    "secret_decoded",
  ),
  node(
    "decodes the secret with its prefix",
    'send(hmac(Buffer.from(secret, "base64"), stamped(body)).digest("hex"));',
    "secret_decoded",
  ),
  python(
    "decodes the secret",
    'key = base64.b64decode(secret)\nsend(digest(f"{timestamp}.{body}", key).hexdigest())',
    "secret_decoded",
  ),
  node(
    "uses another connection's secret",
    'send(hmac(process.env.OTHER_SECRET, stamped(body)).digest("hex"));',
    "other_connection",
  ),
  node("signs another body", 'send(hmac(secret, stamped("{}")).digest("hex"));', "unknown"),
  bash(
    "has a clock that is ahead",
    `TS=$(( $(now) + 600000 )); send "$TS" "$(printf '%s.%s' "$TS" "$BODY" | hmac "$SECRET")" "$BODY"`,
    "clock_ahead",
  ),
  bash(
    "has a clock that is behind",
    `TS=$(( $(now) - 600000 )); send "$TS" "$(printf '%s.%s' "$TS" "$BODY" | hmac "$SECRET")" "$BODY"`,
    "clock_behind",
  ),
  bash(
    "signs and sends seconds",
    `TS=$(date +%s); send "$TS" "$(printf '%s.%s' "$TS" "$BODY" | hmac "$SECRET")" "$BODY"`,
    "seconds",
  ),
  node(
    "signs and sends a date",
    "const date = new Date().toISOString();\n" +
      'send(hmac(secret, stamped(body, date)).digest("hex"), body, date);',
    "not_a_number",
  ),
];
