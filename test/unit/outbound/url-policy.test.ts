import { describe, expect, it } from "vitest";
import { checkUrl, describeUrlProblem, MAX_URL_CHARS, maskUrl } from "../../../src/outbound/url-policy.ts";

const OWN = { ownZones: ["audit1.com", "audit1.info"], allowedHosts: ["hooks.audit1.com"] };
const POLICY = { ...OWN, allowInsecure: false };
const LOCAL = { ...OWN, allowInsecure: true };

const AN_IP = "The host must be a name, not an IP address";
const NOT_PUBLIC = "The host is not a public name";
const INVALID = "Not a valid address";
const NO_NAME = "Not a valid host name";
const OTHERS = "The host is a name for other addresses";
const OURS = "The host belongs to Audit1";
const NOT_HTTPS = "The address must begin with https://";
const CREDENTIALS = "The address holds credentials; send them in a header";
const CHARACTERS = "The address holds spaces, control characters or backslashes";
const PORT = "The port must be 443 or at least 1024";
const DOT = "The host must not end with a dot";

const HOSTILE: [address: string, reason: string][] = [
  // IPv4, in every way there is to write it.
  ["https://127.0.0.1/", AN_IP],
  ["https://127.1/", AN_IP],
  ["https://127.0.1/", AN_IP],
  ["https://2130706433/", AN_IP],
  ["https://0x7f000001/", AN_IP],
  ["https://0x7f.0.0.1/", AN_IP],
  ["https://0x7f.1/", AN_IP],
  ["https://017700000001/", AN_IP],
  ["https://0177.0.0.1/", AN_IP],
  ["https://0177.0.0.01/", AN_IP],
  ["https://127.0.0.1./", AN_IP],
  ["https://127.0.0.1:8443/", AN_IP],
  ["https://0/", AN_IP],
  ["https://0.0.0.0/", AN_IP],
  ["https://10.0.0.1/", AN_IP],
  ["https://10.1/", AN_IP],
  ["https://167772161/", AN_IP],
  ["https://172.16.0.1/", AN_IP],
  ["https://192.168.1.1/", AN_IP],
  ["https://0300.0250.1.1/", AN_IP],
  ["https://100.64.0.1/", AN_IP],
  ["https://169.254.169.254/latest/meta-data/", AN_IP],
  ["https://2852039166/latest/meta-data/", AN_IP],
  ["https://0xa9fea9fe/", AN_IP],
  ["https://0251.0376.0251.0376/", AN_IP],
  ["https://169.254.170.2/v2/credentials", AN_IP],
  ["https://100.100.100.200/", AN_IP],
  ["https://192.0.0.192/", AN_IP],
  ["https://224.0.0.1/", AN_IP],
  ["https://255.255.255.255/", AN_IP],
  ["https://8.8.8.8/", AN_IP],
  ["https://１２７.０.０.１/", AN_IP],
  ["https://①②⑦.⓪.⓪.①/", AN_IP],
  ["https://127。0。0。1/", AN_IP],
  ["https://%31%32%37.0.0.1/", AN_IP],
  ["https://256.0.0.1/", INVALID],
  ["https://127.0.0.1.1/", INVALID],
  ["https://example.com.0x7f/", INVALID],
  // IPv6.
  ["https://[::1]/", AN_IP],
  ["https://[::]/", AN_IP],
  ["https://[0:0:0:0:0:0:0:1]/", AN_IP],
  ["https://[::ffff:127.0.0.1]/", AN_IP],
  ["https://[::ffff:7f00:1]/", AN_IP],
  ["https://[::ffff:a9fe:a9fe]/", AN_IP],
  ["https://[::127.0.0.1]/", AN_IP],
  ["https://[2002:7f00:1::]/", AN_IP],
  ["https://[64:ff9b::7f00:1]/", AN_IP],
  ["https://[64:ff9b:1::a00:1]/", AN_IP],
  ["https://[2001:0:7f00:1::]/", AN_IP],
  ["https://[fc00::1]/", AN_IP],
  ["https://[fd00:ec2::254]/", AN_IP],
  ["https://[fe80::1]/", AN_IP],
  ["https://[fec0::1]/", AN_IP],
  ["https://[ff02::1]/", AN_IP],
  ["https://[2606:4700:4700::1111]/", AN_IP],
  ["https://[fe80::1%25eth0]/", INVALID],
  ["https://[::1/", INVALID],
  // Names that stay inside.
  ["https://localhost/", NOT_PUBLIC],
  ["https://LOCALHOST:8443/", NOT_PUBLIC],
  ["https://ⓛocalhost/", NOT_PUBLIC],
  ["https://ｌｏｃａｌｈｏｓｔ/", NOT_PUBLIC],
  ["https://%6c%6fcalhost/", NOT_PUBLIC],
  ["https://loc\u00adalhost/", NOT_PUBLIC],
  ["https://localhost./", DOT],
  ["https://example.com./", DOT],
  ["https://api.localhost/", NOT_PUBLIC],
  ["https://localhost.localdomain/", NOT_PUBLIC],
  ["https://printer.local/", NOT_PUBLIC],
  ["https://db.internal/", NOT_PUBLIC],
  ["https://metadata.google.internal/computeMetadata/v1/", NOT_PUBLIC],
  ["https://instance-data/", NOT_PUBLIC],
  ["https://metadata/", NOT_PUBLIC],
  ["https://kubernetes/", NOT_PUBLIC],
  ["https://kubernetes.default.svc.cluster.local/", NOT_PUBLIC],
  ["https://router.home.arpa/", NOT_PUBLIC],
  ["https://1.0.0.127.in-addr.arpa/", NOT_PUBLIC],
  ["https://wiki.corp/", NOT_PUBLIC],
  ["https://nas.lan/", NOT_PUBLIC],
  ["https://hidden.onion/", NOT_PUBLIC],
  // Public names for anything.
  ["https://127.0.0.1.nip.io/", OTHERS],
  ["https://7f000001.nip.io/", OTHERS],
  ["https://10-0-0-1.sslip.io/", OTHERS],
  ["https://localtest.me/", OTHERS],
  ["https://any.lvh.me/", OTHERS],
  // Ourselves.
  ["https://webhooks.audit1.com/api/v1/events", OURS],
  ["https://WEBHOOKS.AUDIT1.COM:8443/", OURS],
  ["https://x.api.audit1.info/", OURS],
  ["https://audit1.com/", OURS],
  ["https://not-webhooks.audit1.com/", OURS],
  ["https://intranet.audit1.info/", OURS],
  ["https://below.hooks.audit1.com/", OURS],
  ["https://ａｕｄｉｔ１.com/", OURS],
  ["https://AUDIT1。COM/", OURS],
  ["https://%61udit1.com/", OURS],
  ["https://aud\u00adit1.com/", OURS],
  ["https://xn--bcher-kva.audit1.com/", OURS],
  ["https://bücher.audit1.com/", OURS],
  ["https://webhooks.audit1.com./", DOT],
  ["https://hooks.audit1.com./", DOT],
  ["https://webhooks.audit1.com../", DOT],
  ["https://hooks.audit1.com@webhooks.audit1.com/", CREDENTIALS],
  ["https://example.com@webhooks.audit1.com/", CREDENTIALS],
  ["https://@webhooks.audit1.com/", OURS],
  // Other schemes, credentials, ports, and text that means something else than it shows.
  ["http://example.com/", NOT_HTTPS],
  ["ftp://example.com/", NOT_HTTPS],
  ["file:///etc/passwd", NOT_HTTPS],
  ["gopher://example.com/_x", NOT_HTTPS],
  ["javascript:alert(1)", NOT_HTTPS],
  ["data:text/plain,x", NOT_HTTPS],
  ["blob:https://example.com/x", NOT_HTTPS],
  ["//example.com/", INVALID],
  ["example.com", INVALID],
  ["", INVALID],
  ["https://", INVALID],
  ["https://user@example.com/", CREDENTIALS],
  ["https://user:password@example.com/", CREDENTIALS],
  ["https://example.com@127.0.0.1/", CREDENTIALS],
  ["https://:x@example.com/", CREDENTIALS],
  ["https://example.com:22/", PORT],
  ["https://example.com:25/", PORT],
  ["https://example.com:80/", PORT],
  ["https://example.com:0/", PORT],
  ["https://example.com:65536/", INVALID],
  ["https://example.com\\@127.0.0.1/", CHARACTERS],
  ["https://example.com /", CHARACTERS],
  [" https://example.com/", CHARACTERS],
  ["https://exam\tple.com/", CHARACTERS],
  ["https://example.com/\r\nHost: x", CHARACTERS],
  ["https://example.com/\u0000", CHARACTERS],
  ["https://exa_mple.com/", NO_NAME],
  ["https://*.example.com/", NO_NAME],
  ["https://-example.com/", NO_NAME],
  ["https://example..com/", NO_NAME],
  [`https://${"a".repeat(64)}.com/`, NO_NAME],
  [`https://${"a.".repeat(130)}com/`, NO_NAME],
  [
    `https://example.com/${"a".repeat(MAX_URL_CHARS)}`,
    `The address is longer than ${MAX_URL_CHARS} characters`,
  ],
];

describe("an address", () => {
  it.each(HOSTILE)("is refused: %j", (address, reason) => {
    expect(checkUrl(address, POLICY)).toMatchObject({ ok: false, error: { reason } });
  });

  it.each([
    ["https://example.com", "https://example.com/"],
    [
      "https://hooks.example.co.uk/webhooks/audit1?tenant=7",
      "https://hooks.example.co.uk/webhooks/audit1?tenant=7",
    ],
    ["HTTPS://Example.COM:443/Path", "https://example.com/Path"],
    ["https://example.com:8443/", "https://example.com:8443/"],
    ["https://example.com/#fragment", "https://example.com/"],
    ["https://bücher.example/", "https://xn--bcher-kva.example/"],
    ["https://xn--bcher-kva.example/", "https://xn--bcher-kva.example/"],
    ["https://abc123.ngrok.io/webhooks/audit1", "https://abc123.ngrok.io/webhooks/audit1"],
    ["https://127.0.0.1.example.com/", "https://127.0.0.1.example.com/"],
    ["https://1e100.net/", "https://1e100.net/"],
    ["https://mylocalhost.com/", "https://mylocalhost.com/"],
    ["https://hooks.audit1.com/", "https://hooks.audit1.com/"],
    ["https://HOOKS.audit1.com:8443/in", "https://hooks.audit1.com:8443/in"],
    ["https://notaudit1.com/", "https://notaudit1.com/"],
    ["https://audit1.com.example.com/", "https://audit1.com.example.com/"],
    ["https://audit1.co/", "https://audit1.co/"],
    ["https://example.com/a@b:c", "https://example.com/a@b:c"],
  ])("is taken, and kept as it will be called: %s", (address, url) => {
    expect(checkUrl(address, POLICY)).toEqual({ ok: true, value: url });
  });

  it.each([
    "http://localhost:3000/hook",
    "http://127.0.0.1:9/",
    "https://127.8.8.8/",
    "http://[::1]:8080/",
    "http://host.docker.internal:3000/hook",
  ])("may be on this computer in local development: %s", (address) => {
    expect(checkUrl(address, POLICY).ok).toBe(false);
    expect(checkUrl(address, LOCAL)).toEqual({ ok: true, value: new URL(address).href });
  });

  it.each([
    "https://example.com/services…",
    "example.com/services…",
    "https://example.com/…",
    "https://exa…mple.com/",
    "https://example.com/services%E2%80%A6",
    "https://example.com/?sig=%e2%80%a6",
  ])("that is masked is refused: %s", (address) => {
    expect(checkUrl(address, POLICY)).toMatchObject({
      ok: false,
      error: { reason: "The address is masked: it ends in …" },
    });
  });

  const LOOPBACK = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/;
  it.each(HOSTILE.filter(([address]) => !URL.canParse(address) || !LOOPBACK.test(new URL(address).hostname)))(
    "is refused in local development just the same: %j",
    (address) => {
      expect(checkUrl(address, LOCAL).ok).toBe(false);
    },
  );
});

describe("a masked address", () => {
  it.each([
    ["https://hooks.slack.com/services/T0/B0/SECRET", "hooks.slack.com/services…"],
    ["https://example.com/", "example.com/…"],
    ["https://example.com/?sig=SECRET", "example.com/…"],
    ["https://example.com/in", "example.com/in…"],
    ["https://example.com/12345678", "example.com/12345678…"],
    ["https://example.com:8443/a?b=/SECRET", "example.com:8443/a…"],
    ["http://[::1]:3000/webhooks/audit1", "[::1]:3000/webhooks…"],
  ])("of %s is %s", (url, masked) => {
    expect(maskUrl(url)).toBe(masked);
  });
});

describe("a refusal", () => {
  it.each([
    [
      "http://example.com/hook/SECRET?sig=SECRET",
      "example.com/…: the address must begin with https://. Send a whole address such as https://hooks.example.com/audit1.",
    ],
    [
      "https://user:SECRET@example.com/",
      "example.com/…: the address holds credentials; send them in a header. Use the webhook's `headers`.",
    ],
    [
      "https://webhooks.audit1.com/api/v1/events",
      "webhooks.audit1.com/…: the host belongs to Audit1. Use an endpoint of your own.",
    ],
    [
      "https://10.0.0.1/SECRET",
      "10.0.0.1/…: the host must be a name, not an IP address. Use a host name that resolves on the public internet.",
    ],
    [
      "hooks.slack.com/services…",
      "hooks.slack.com/services…: the address is masked: it ends in …. Send the whole address, or leave `url` out to keep the present one.",
    ],
    [
      "not an address/SECRET",
      "not/…: the address holds spaces, control characters or backslashes. Percent-encode them, or remove them.",
    ],
    ["", "…: not a valid address. Send a whole address such as https://hooks.example.com/audit1."],
  ])("of %j says what was given, masked, what is wrong, and what to do", (given, message) => {
    const checked = checkUrl(given, POLICY);
    if (checked.ok) throw new Error("the address was to be refused");
    expect(describeUrlProblem(given, checked.error)).toBe(message);
    expect(message).not.toContain("SECRET");
  });
});
