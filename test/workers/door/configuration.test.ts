/** A gateway that is not configured serves nothing, and says in its log what is missing without repeating a secret. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { toBase64 } from "../../../src/crypto/encoding.ts";
import {
  createDataKey,
  KeyRingError,
  parseKeyRing,
  SealBroken,
  unwrapDataKey,
} from "../../../src/crypto/vault.ts";
import { type Bindings, ConfigurationError, readSettings } from "../../../src/env.ts";
import {
  bindings,
  createBoundConnection,
  inboundPath,
  post,
  report,
  send,
  signedRequest,
} from "../../support/gateway.ts";

const KEY = toBase64(new Uint8Array(32).fill(7));
const OTHER_KEY = toBase64(new Uint8Array(32).fill(8));
const SHORT_KEY = toBase64(new Uint8Array(31).fill(7));
const HASH = "9792ab9d5299bb82a4b403da1bfa99def25e8884e678dd67281da34aedf5e881";

let written: string[] = [];

beforeEach(() => {
  written = [];
  for (const method of ["log", "error"] as const)
    vi.spyOn(console, method).mockImplementation((line) => void written.push(String(line)));
});
afterEach(() => {
  vi.restoreAllMocks();
});

describe("parseKeyRing", () => {
  it.each([
    ["one key", `a:${KEY}`, ["a"]],
    ["two keys, the first of which wraps", `new-1:${KEY},old_0:${OTHER_KEY}`, ["new-1", "old_0"]],
    ["blanks and line breaks around", ` a:${KEY} ,\n b:${OTHER_KEY}\n`, ["a", "b"]],
    ["a name of 32 characters", `${"k".repeat(32)}:${KEY}`, ["k".repeat(32)]],
  ])("takes %s", (_, text, ids) => {
    const ring = parseKeyRing(text);
    expect([...ring.keys.keys()]).toEqual(ids);
    expect(ring.first).toBe(ids[0]);
  });

  it.each<[string, string | undefined, RegExp]>([
    ["nothing set", undefined, /not set/],
    ["an empty text", "", /not set/],
    ["a key without a name", KEY, /entry 1 .*form/],
    ["an empty name", `:${KEY}`, /entry 1 .*form/],
    ["a name with a dot, which ends names in wrapped keys", `a.b:${KEY}`, /entry 1 .*form/],
    ["a name of 33 characters", `${"k".repeat(33)}:${KEY}`, /entry 1 .*form/],
    ["a name without a key", "a:", /entry 1 .*form/],
    ["a comma at the end", `a:${KEY},`, /entry 2 .*form/],
    ["base64 for URLs", `a:${KEY.slice(0, -2)}-_`, /entry 1 .*form/],
    ["31 bytes", `a:${SHORT_KEY}`, /a has 31 bytes; it needs 32/],
    ["64 hex digits", `a:${"0f".repeat(32)}`, /a has 48 bytes; it needs 32/],
    ["broken base64", `a:${KEY.slice(0, -3)}`, /a is not base64/],
    ["the same name twice", `a:${KEY},a:${OTHER_KEY}`, /names the key a twice/],
  ])("refuses %s, and does not repeat it", (_, text, reason) => {
    let message = "";
    try {
      parseKeyRing(text);
    } catch (error) {
      expect(error).toBeInstanceOf(KeyRingError);
      message = String(error);
    }
    expect(message).toMatch(reason);
    for (const secret of [KEY, OTHER_KEY, SHORT_KEY, "0f0f"])
      expect(message).not.toContain(secret.slice(0, 8));
  });

  it("opens what any of its keys wrapped, and nothing else", async () => {
    const wrapped = await createDataKey(parseKeyRing(`old:${KEY}`), "here");
    const rotated = parseKeyRing(`new:${OTHER_KEY},old:${KEY}`);
    await expect(unwrapDataKey(rotated, wrapped, "here")).resolves.toBeDefined();
    await expect(unwrapDataKey(rotated, wrapped, "elsewhere")).rejects.toBeInstanceOf(SealBroken);
    await expect(unwrapDataKey(parseKeyRing(`new:${OTHER_KEY}`), wrapped, "here")).rejects.toBeInstanceOf(
      SealBroken,
    );
    await expect(unwrapDataKey(parseKeyRing(`old:${OTHER_KEY}`), wrapped, "here")).rejects.toBeInstanceOf(
      SealBroken,
    );
  });
});

const changed = (by: object): Bindings => ({ ...bindings, ...by }) as Bindings;
const clients = (...list: object[]) => ({ PORTAL_CLIENTS: JSON.stringify(list) });

const BROKEN: [string, object, RegExp][] = [
  ["no key ring", { VAULT_KEYS: undefined }, /VAULT_KEYS.*not set/],
  ["an empty key ring", { VAULT_KEYS: "" }, /VAULT_KEYS.*not set/],
  ["a broken key ring", { VAULT_KEYS: `a:${SHORT_KEY}` }, /VAULT_KEYS.*31 bytes/],
  ["no portal clients", { PORTAL_CLIENTS: undefined }, /PORTAL_CLIENTS.*not set/],
  ["portal clients that are no JSON", { PORTAL_CLIENTS: `portal:${HASH}` }, /PORTAL_CLIENTS.*not JSON/],
  ["portal clients that are no list", { PORTAL_CLIENTS: `{"id":"portal"}` }, /PORTAL_CLIENTS/],
  ["a client without a secret", clients({ id: "portal" }), /0\.secret_sha256/],
  [
    "a client whose secret is no hash",
    clients({ id: "p", secret_sha256: "portal-secret" }),
    /64 lower-case hex/,
  ],
  ["a hash in upper case", clients({ id: "p", secret_sha256: HASH.toUpperCase() }), /64 lower-case hex/],
  ["a client without an id", clients({ id: "", secret_sha256: HASH }), /0\.id/],
  [
    "an owner of an unknown type",
    clients({ id: "p", secret_sha256: HASH, owner: { type: "king", id: "x" } }),
    /owner\.type/,
  ],
  ["a limit that is no number", { MAX_BODY_BYTES: "10MB" }, /MAX_BODY_BYTES must be an integer/],
  ["no limit", { MAX_BODY_BYTES: undefined }, /MAX_BODY_BYTES/],
  ["an empty limit", { MAX_BODY_BYTES: "" }, /MAX_BODY_BYTES/],
  ["a limit beyond what an isolate holds", { MAX_BODY_BYTES: "10485761" }, /MAX_BODY_BYTES/],
  ["a limit below any report", { MAX_BODY_BYTES: "1023" }, /MAX_BODY_BYTES/],
  ["archiving after no time", { ARCHIVE_AFTER_SECONDS: "0" }, /ARCHIVE_AFTER_SECONDS/],
  ["archiving after more than a day", { ARCHIVE_AFTER_SECONDS: "86401" }, /ARCHIVE_AFTER_SECONDS/],
  ["no files-creator", { FILES_CREATOR: undefined, FILES_CREATOR_URL: "" }, /FILES_CREATOR_URL: must be set/],
  ["a files-creator without TLS", { FILES_CREATOR: undefined, FILES_CREATOR_URL: "http://files" }, /https/],
  [
    "a files-creator that is no address",
    { FILES_CREATOR: undefined, FILES_CREATOR_URL: "files" },
    /FILES_CREATOR_URL/,
  ],
  ["a zone that is no name", { OWN_ZONES: "https://audit1.com" }, /OWN_ZONES: must be host names/],
  ["a target with a port", { OWN_ZONE_TARGETS: "hooks.audit1.com:8443" }, /must be host names/],
  [
    "an origin with a path",
    { INBOUND_ORIGIN: "https://in.example/api" },
    /INBOUND_ORIGIN: .* without a path/,
  ],
  [
    "an origin without TLS",
    { INBOUND_ORIGIN: "http://in.example", ALLOW_INSECURE_ENDPOINTS: "" },
    /INBOUND_ORIGIN: must be an https/,
  ],
];

describe("readSettings", () => {
  it.each<[string, object, object]>([
    ["the limit", { MAX_BODY_BYTES: "1024" }, { maxBodyBytes: 1_024 }],
    ["the largest limit", { MAX_BODY_BYTES: "10485760" }, { maxBodyBytes: 10_485_760 }],
    ["the archive's delay", { ARCHIVE_AFTER_SECONDS: "1" }, { archiveAfterMs: 1_000 }],
    ["no portal client", { PORTAL_CLIENTS: "[]" }, { portalClients: [] }],
    [
      "a client of one owner",
      clients({ id: "p", secret_sha256: HASH, owner: { type: "employer", id: "e" } }),
      { portalClients: [{ id: "p", secret_sha256: HASH, owner: { type: "employer", id: "e" } }] },
    ],
    ["a bound files-creator", {}, { filesCreator: { url: "https://files-creator/files", token: null } }],
    [
      "an http origin, in development",
      { INBOUND_ORIGIN: "http://10.0.0.2:8787" },
      { inboundOrigin: "http://10.0.0.2:8787" },
    ],
    [
      "a files-creator elsewhere",
      {
        FILES_CREATOR: undefined,
        FILES_CREATOR_URL: "https://files.example/base/",
        FILES_CREATOR_TOKEN: "t",
      },
      { filesCreator: { url: "https://files.example/base/files", token: "t" } },
    ],
    [
      "zones of our own, and the inbound host as one of them",
      {
        OWN_ZONES: " Audit1.COM,audit1.info.\n",
        OWN_ZONE_TARGETS: "hooks.audit1.com",
        INBOUND_ORIGIN: "https://IN.example/",
      },
      {
        inboundOrigin: "https://in.example",
        addressPolicy: {
          ownZones: ["audit1.com", "audit1.info", "in.example"],
          allowedHosts: ["hooks.audit1.com"],
        },
      },
    ],
    [
      "no zones",
      { OWN_ZONES: "", OWN_ZONE_TARGETS: undefined, INBOUND_ORIGIN: undefined },
      { inboundOrigin: null, addressPolicy: { ownZones: [], allowedHosts: [] } },
    ],
  ])("reads %s", (_, by, expected) => {
    expect(readSettings(changed(by))).toMatchObject(expected);
  });

  it.each(BROKEN)("refuses %s and says which", (_, by, reason) => {
    const read = () => readSettings(changed(by));
    expect(read).toThrow(ConfigurationError);
    expect(read).toThrow(reason);
  });

  it("reads the same bindings once", () => {
    const env = changed({});
    expect(readSettings(env)).toBe(readSettings(env));
  });
});

describe("a gateway that is not configured", () => {
  it.each(BROKEN)("answers every request 503 with %s", async (_, by, reason) => {
    const using = changed(by);
    const connection = { id: "e".repeat(24), secret: "s" };
    for (const [path, init] of [
      [inboundPath(connection), await signedRequest(connection)],
      ["/api/v1/files/status/FILE_1", {}],
      ["/api/v1/connections", { method: "POST" }],
      ["/health", {}],
      ["/nowhere", {}],
    ] satisfies [string, RequestInit][]) {
      written = [];
      const answer = await send(path, init, using);
      expect(answer.status).toBe(503);
      expect(answer.json).toMatchObject({ error: "Service unavailable", code: "SERVICE_UNAVAILABLE" });
      expect(answer.headers.get("Retry-After")).toBe("60");
      expect(answer.headers.get("X-Audit1-Request-Id")).toBe(answer.json.request_id);
      expect(JSON.stringify(answer.json)).not.toMatch(/VAULT|PORTAL|MAX_BODY|FILES_CREATOR|sha256/);
      const [problem, request, ...more] = written.map((line) => JSON.parse(line));
      expect(more).toEqual([]);
      expect(problem.message).toBe("the gateway is not configured and refuses to serve");
      expect(problem.error).toMatch(reason);
      expect(request).toMatchObject({ message: "request", status: 503, outcome: "unavailable" });
      for (const secret of [KEY, SHORT_KEY, HASH, "portal-secret"])
        expect(written.join()).not.toContain(secret.slice(0, 12));
    }
  });

  it("serves again as soon as it is configured, and has forgotten nothing", async () => {
    const connection = await createBoundConnection();
    const request = await signedRequest(connection);
    expect((await send(inboundPath(connection), request, changed({ VAULT_KEYS: "" }))).status).toBe(503);
    expect((await send(inboundPath(connection), request)).status).toBe(202);
  });

  it("with a ring that lacks the connection's key answers 503, not that the signature is wrong", async () => {
    const connection = await createBoundConnection();
    const answer = await post(connection, report(), {}, changed({ VAULT_KEYS: `other:${KEY}` }));
    expect(answer.status).toBe(503);
    expect((await post(connection)).status).toBe(202);
  });
});
