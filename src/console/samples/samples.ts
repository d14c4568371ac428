/**
 * Programs that send one signed report, in seven languages, as the console and the documentation show them. Each signs the
 * timestamp, a dot and the body's bytes with HMAC-SHA256 and sends the hex digits. They read the secret from AUDIT1_SECRET.
 */

export const SAMPLE_LANGUAGES = ["curl", "node", "python", "go", "java", "php", "ruby"] as const;
export type SampleLanguage = (typeof SAMPLE_LANGUAGES)[number];

export interface SampleValues {
  /** The connection's address. */
  url: string;
  /** From {@link exampleReport}. */
  body: string;
}

export interface Sample {
  language: SampleLanguage;
  label: string;
  /** What the program is saved as. */
  file: string;
  /** The command that runs the file. */
  run: string;
  needs: string;
  text(values: SampleValues): string;
}

const curl: Sample = {
  language: "curl",
  label: "curl",
  file: "send.sh",
  run: "sh send.sh",
  needs: "A shell with openssl and curl. The commands can be pasted as they stand.",
  text: ({ url, body }) => `BODY='${body}'
TIMESTAMP=$(date +%s)000
SIGNATURE=$(printf '%s.%s' "$TIMESTAMP" "$BODY" \\
  | openssl dgst -sha256 -hmac "$AUDIT1_SECRET" | sed 's/^.* //')

curl -sS -X POST '${url}' \\
  -H 'Content-Type: application/json' \\
  -H "X-Webhook-Timestamp: $TIMESTAMP" \\
  -H "X-Webhook-Signature: $SIGNATURE" \\
  --data-binary "$BODY"
`,
};

const node: Sample = {
  language: "node",
  label: "Node",
  file: "send.mjs",
  run: "node send.mjs",
  needs: "Node 18 or newer.",
  text: ({ url, body }) => `import { createHmac } from "node:crypto";

const url = "${url}";
const secret = process.env.AUDIT1_SECRET;
const body = \`${body}\`;

const timestamp = String(Date.now());
const signature = createHmac("sha256", secret).update(\`\${timestamp}.\${body}\`).digest("hex");

const response = await fetch(url, {
  method: "POST",
  headers: {
    "Content-Type": "application/json",
    "X-Webhook-Timestamp": timestamp,
    "X-Webhook-Signature": signature,
  },
  body,
});
console.log(response.status, await response.text());
`,
};

const python: Sample = {
  language: "python",
  label: "Python",
  file: "send.py",
  run: "python3 send.py",
  needs: "Python 3.8 or newer, without packages.",
  text: ({ url, body }) => `import hashlib, hmac, os, time, urllib.error, urllib.request

url = "${url}"
secret = os.environ["AUDIT1_SECRET"].encode()
body = b"""${body}"""

timestamp = str(time.time_ns() // 1_000_000)
signature = hmac.new(secret, timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()

request = urllib.request.Request(url, data=body, headers={
    "Content-Type": "application/json",
    "X-Webhook-Timestamp": timestamp,
    "X-Webhook-Signature": signature,
})
try:
    response = urllib.request.urlopen(request)
except urllib.error.HTTPError as refused:
    response = refused
print(response.status, response.read().decode())
`,
};

const go: Sample = {
  language: "go",
  label: "Go",
  file: "send.go",
  run: "go run send.go",
  needs: "Go 1.17 or newer.",
  text: ({ url, body }) => `package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
)

const url = "${url}"
const body = \`${body}\`

func main() {
	timestamp := strconv.FormatInt(time.Now().UnixMilli(), 10)
	mac := hmac.New(sha256.New, []byte(os.Getenv("AUDIT1_SECRET")))
	mac.Write([]byte(timestamp + "." + body))

	request, err := http.NewRequest("POST", url, strings.NewReader(body))
	if err != nil {
		log.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("X-Webhook-Timestamp", timestamp)
	request.Header.Set("X-Webhook-Signature", hex.EncodeToString(mac.Sum(nil)))
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		log.Fatal(err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(response.StatusCode, string(answer))
}
`,
};

const java: Sample = {
  language: "java",
  label: "Java",
  file: "Send.java",
  run: "java Send.java",
  needs: "Java 17 or newer.",
  text: ({ url, body }) => `import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.util.HexFormat;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

public class Send {
  static final String URL = "${url}";
  static final String BODY = """
${body}""";

  public static void main(String[] args) throws Exception {
    byte[] secret = System.getenv("AUDIT1_SECRET").getBytes(StandardCharsets.UTF_8);
    String timestamp = String.valueOf(System.currentTimeMillis());
    Mac mac = Mac.getInstance("HmacSHA256");
    mac.init(new SecretKeySpec(secret, "HmacSHA256"));
    byte[] signed = (timestamp + "." + BODY).getBytes(StandardCharsets.UTF_8);
    String signature = HexFormat.of().formatHex(mac.doFinal(signed));

    HttpRequest request = HttpRequest.newBuilder(URI.create(URL))
        .header("Content-Type", "application/json")
        .header("X-Webhook-Timestamp", timestamp)
        .header("X-Webhook-Signature", signature)
        .POST(HttpRequest.BodyPublishers.ofString(BODY))
        .build();
    var response = HttpClient.newHttpClient().send(request, BodyHandlers.ofString());
    System.out.println(response.statusCode() + " " + response.body());
  }
}
`,
};

const php: Sample = {
  language: "php",
  label: "PHP",
  file: "send.php",
  run: "php send.php",
  needs: "PHP 7.4 or newer with its curl extension.",
  text: ({ url, body }) => `<?php
$url = '${url}';
$secret = getenv('AUDIT1_SECRET');
$body = '${body}';

$timestamp = (string) (int) (microtime(true) * 1000);
$signature = hash_hmac('sha256', $timestamp . '.' . $body, $secret);

$curl = curl_init($url);
curl_setopt_array($curl, [
    CURLOPT_POST => true,
    CURLOPT_POSTFIELDS => $body,
    CURLOPT_RETURNTRANSFER => true,
    CURLOPT_HTTPHEADER => [
        'Content-Type: application/json',
        'X-Webhook-Timestamp: ' . $timestamp,
        'X-Webhook-Signature: ' . $signature,
    ],
]);
$answer = curl_exec($curl);
if ($answer === false) {
    exit('Not sent: ' . curl_error($curl) . PHP_EOL);
}
echo curl_getinfo($curl, CURLINFO_RESPONSE_CODE), ' ', $answer, PHP_EOL;
`,
};

const ruby: Sample = {
  language: "ruby",
  label: "Ruby",
  file: "send.rb",
  run: "ruby send.rb",
  needs: "Ruby 2.7 or newer.",
  text: ({ url, body }) => `require 'net/http'
require 'openssl'

url = URI('${url}')
secret = ENV.fetch('AUDIT1_SECRET')
body = '${body}'

timestamp = Process.clock_gettime(Process::CLOCK_REALTIME, :millisecond).to_s
signature = OpenSSL::HMAC.hexdigest('SHA256', secret, timestamp + '.' + body)

response = Net::HTTP.post(
  url, body,
  'Content-Type' => 'application/json',
  'X-Webhook-Timestamp' => timestamp,
  'X-Webhook-Signature' => signature
)
puts "#{response.code} #{response.body}"
`,
};

export const SAMPLES: Record<SampleLanguage, Sample> = { curl, node, python, go, java, php, ruby };
