/** An unusable setting stops the part that needs it, and nothing else; the log names it, and repeats no secret. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Bindings } from "../../../src/bindings.ts";
import { boundedForRequests } from "../../../src/bounded.ts";
import { toBase64 } from "../../../src/crypto/encoding.ts";
import {
  createDataKey,
  KeyRingError,
  parseKeyRing,
  SealBroken,
  unwrapDataKey,
} from "../../../src/crypto/vault.ts";
import { ConfigurationError, readSettings, type Settings } from "../../../src/env.ts";
import { SETTINGS_PARTS, type SettingsPart } from "../../../src/model.ts";
import { deliver, runCron } from "../../support/forwarding.ts";
import {
  bindings,
  createApiKey,
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
const WEBHOOK_SECRET = `whsec_${"A".repeat(32)}`;
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
  ])("accepts %s", (_, text, ids) => {
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

  it("unwraps the data keys that any of its keys wrapped, and no others", async () => {
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

/** The settings that cannot be used, the part that lacks them, and what the log says. */
const BROKEN: [string, object, SettingsPart, RegExp][] = [
  ["no key ring", { VAULT_KEYS: undefined }, "key_ring", /VAULT_KEYS.*not set/],
  ["an empty key ring", { VAULT_KEYS: "" }, "key_ring", /VAULT_KEYS.*not set/],
  ["a broken key ring", { VAULT_KEYS: `a:${SHORT_KEY}` }, "key_ring", /VAULT_KEYS.*31 bytes/],
  ["no portal clients", { PORTAL_CLIENTS: undefined }, "portal_clients", /PORTAL_CLIENTS.*not set/],
  [
    "clients that are no JSON",
    { PORTAL_CLIENTS: `portal:${HASH}` },
    "portal_clients",
    /PORTAL_CLIENTS.*not JSON/,
  ],
  [
    "clients that are no list",
    { PORTAL_CLIENTS: `{"id":"portal"}` },
    "portal_clients",
    /PORTAL_CLIENTS.*list/,
  ],
  ["a team without an audience", { ACCESS_TEAM: "acme" }, "access", /ACCESS_TEAM.*ACCESS_AUD/],
  ["an audience without a team", { ACCESS_AUD: "aud" }, "access", /ACCESS_TEAM.*ACCESS_AUD/],
  ["a team's address", { ACCESS_TEAM: "https://acme", ACCESS_AUD: "a" }, "access", /ACCESS_TEAM.*name alone/],
  ["no operators' address", { OPERATORS_EMAIL: "" }, "mail", /OPERATORS_EMAIL.*e-mail/],
  ["an operators' address that is none", { OPERATORS_EMAIL: "operators" }, "mail", /OPERATORS_EMAIL.*e-mail/],
  ["no sender of mail", { EMAIL_FROM: undefined }, "mail", /EMAIL_FROM.*e-mail/],
  [
    "no files-creator",
    { FILES_CREATOR: undefined, FILES_CREATOR_URL: " " },
    "files_creator",
    /FILES_CREATOR_URL: must be set/,
  ],
  [
    "a files-creator without TLS",
    { FILES_CREATOR: undefined, FILES_CREATOR_URL: "http://files" },
    "files_creator",
    /FILES_CREATOR_URL.*https/,
  ],
  [
    "a files-creator that is no address",
    { FILES_CREATOR: undefined, FILES_CREATOR_URL: "files" },
    "files_creator",
    /FILES_CREATOR_URL.*https/,
  ],
  [
    "a token with a line break in it",
    { FILES_CREATOR_TOKEN: "abc\ndef" },
    "files_creator",
    /FILES_CREATOR_TOKEN.*printable/,
  ],
  [
    "a zone that is no name",
    { OWN_ZONES: "https://audit1.com" },
    "own_hosts",
    /OWN_ZONES: must be host names/,
  ],
  ["a target with a port", { OWN_ZONE_TARGETS: "hooks.audit1.com:8443" }, "own_hosts", /must be host names/],
  ["zones that are no text", { OWN_ZONES: ["audit1.com"] }, "own_hosts", /OWN_ZONES: must be host names/],
  ["an origin that is no text", { INBOUND_ORIGIN: true }, "own_hosts", /INBOUND_ORIGIN: must be an address/],
  [
    "an origin with a path",
    { INBOUND_ORIGIN: "https://in.example/api" },
    "own_hosts",
    /INBOUND_ORIGIN: .* without a path/,
  ],
  [
    "an origin without TLS",
    { INBOUND_ORIGIN: "http://in.example", ALLOW_INSECURE_ENDPOINTS: "" },
    "own_hosts",
    /INBOUND_ORIGIN: must be an https/,
  ],
  [
    "an operators' webhook without a secret",
    { OPERATORS_WEBHOOK_URL: "https://hooks.example/alerts" },
    "operators_webhook",
    /OPERATORS_WEBHOOK_URL: must be set together/,
  ],
  [
    "an operators' webhook without TLS",
    {
      OPERATORS_WEBHOOK_URL: "http://hooks.example",
      OPERATORS_WEBHOOK_SECRET: WEBHOOK_SECRET,
      ALLOW_INSECURE_ENDPOINTS: "",
    },
    "operators_webhook",
    /OPERATORS_WEBHOOK_URL: must be an https/,
  ],
  [
    "a secret of another form for it",
    { OPERATORS_WEBHOOK_URL: "https://hooks.example/alerts", OPERATORS_WEBHOOK_SECRET: "hush" },
    "operators_webhook",
    /OPERATORS_WEBHOOK_SECRET must be whsec_/,
  ],
  [
    "a console with a path",
    { CONSOLE_ORIGIN: "https://console.example/console" },
    "console",
    /CONSOLE_ORIGIN: .* without a path/,
  ],
  [
    "a console without TLS",
    { CONSOLE_ORIGIN: "http://console.example", ALLOW_INSECURE_ENDPOINTS: "" },
    "console",
    /CONSOLE_ORIGIN: must be an https/,
  ],
  [
    "any page as a frame ancestor",
    { CONSOLE_FRAME_ANCESTORS: "https://a.example *" },
    "console",
    /CONSOLE_FRAME_ANCESTORS: must be an address/,
  ],
  [
    "a frame ancestor without a scheme",
    { CONSOLE_FRAME_ANCESTORS: "a.example" },
    "console",
    /CONSOLE_FRAME_ANCESTORS: must be an address/,
  ],
  [
    "a frame ancestor that ends the header's directive",
    { CONSOLE_FRAME_ANCESTORS: "https://a.example;script-src" },
    "console",
    /CONSOLE_FRAME_ANCESTORS: must be an address/,
  ],
];

const READ: Record<SettingsPart, (settings: Settings) => unknown> = {
  key_ring: (settings) => settings.keyRing,
  portal_clients: (settings) => settings.portalClients,
  access: (settings) => settings.access,
  files_creator: (settings) => settings.filesCreator,
  mail: (settings) => [settings.operatorsEmail, settings.emailFrom],
  own_hosts: (settings) => settings.urlPolicy,
  operators_webhook: (settings) => settings.operatorsWebhook,
  console: (settings) => settings.console,
};

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
    [
      "a hash in upper case, with blanks around it",
      clients({ id: " p\n", secret_sha256: ` ${HASH.toUpperCase()}\n` }),
      { portalClients: [{ id: "p", secret_sha256: HASH }] },
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
        FILES_CREATOR_URL: " https://files.example/base/\n",
        FILES_CREATOR_TOKEN: "t\n",
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
        urlPolicy: {
          ownZones: ["audit1.com", "audit1.info", "in.example"],
          allowedHosts: ["hooks.audit1.com"],
        },
      },
    ],
    [
      "no zones",
      { OWN_ZONES: "", OWN_ZONE_TARGETS: undefined, INBOUND_ORIGIN: undefined },
      { inboundOrigin: null, urlPolicy: { ownZones: [], allowedHosts: [] } },
    ],
    [
      "a sender with a name",
      { EMAIL_FROM: "Audit1 Webhooks <webhooks@audit1.test>" },
      { emailFrom: { name: "Audit1 Webhooks", email: "webhooks@audit1.test" } },
    ],
    ["a sender with a name in quotes", { EMAIL_FROM: `"A, B" <a@b.test>` }, { emailFrom: { name: "A, B" } }],
    ["no operators' webhook", {}, { operatorsWebhook: null }],
    ["no console", {}, { console: { origin: null, frameAncestors: [] } }],
    [
      "a console, and the pages that may embed it",
      {
        CONSOLE_ORIGIN: " https://Console.example/\n",
        CONSOLE_FRAME_ANCESTORS: " https://portal.example, https://B.example:8443/\nhttps://portal.example ",
      },
      {
        console: {
          origin: "https://console.example",
          frameAncestors: ["https://portal.example", "https://b.example:8443"],
        },
      },
    ],
    [
      "an operators' webhook",
      { OPERATORS_WEBHOOK_URL: " https://hooks.example/alerts\n", OPERATORS_WEBHOOK_SECRET: WEBHOOK_SECRET },
      { operatorsWebhook: { url: "https://hooks.example/alerts", secret: WEBHOOK_SECRET } },
    ],
    ["a sender without a name", { EMAIL_FROM: " a@b.test\n" }, { emailFrom: "a@b.test" }],
    [
      "an operators' address with a name",
      { OPERATORS_EMAIL: "Ops <o@b.test>" },
      { operatorsEmail: "o@b.test" },
    ],
    [
      "an Access team with line breaks",
      { ACCESS_TEAM: "acme\n", ACCESS_AUD: " aud\n" },
      { access: { issuer: "https://acme.cloudflareaccess.com", audience: "aud" } },
    ],
    [
      "a switch with a line break",
      { ALLOW_INSECURE_ENDPOINTS: "true\n" },
      { urlPolicy: { allowInsecure: true } },
    ],
    [
      "numbers, switches and lists that are not written as texts",
      {
        MAX_BODY_BYTES: 2_048,
        ARCHIVE_AFTER_SECONDS: 60,
        ALLOW_INSECURE_ENDPOINTS: true,
        PORTAL_CLIENTS: [{ id: "p", secret_sha256: HASH }],
      },
      {
        maxBodyBytes: 2_048,
        archiveAfterMs: 60_000,
        urlPolicy: { allowInsecure: true },
        portalClients: [{ id: "p", secret_sha256: HASH }],
      },
    ],
  ])("reads %s", (_, by, expected) => {
    const settings = readSettings(changed(by));
    expect(settings).toMatchObject(expected);
    expect(settings.problems).toEqual([]);
  });

  it.each(BROKEN)("with %s throws for its own part alone, and logs one line", (_, by, part, reason) => {
    const env = changed(by);
    const settings = readSettings(env);
    expect(() => READ[part](settings)).toThrow(ConfigurationError);
    expect(() => READ[part](settings)).toThrow(reason);
    for (const other of SETTINGS_PARTS) if (other !== part) READ[other](settings);
    readSettings(env);
    readSettings(boundedForRequests(env));
    expect(written).toHaveLength(1);
    expect(written[0]).toMatch(reason);
    expect(JSON.parse(written[0] ?? "").message).toBe("failed to read a setting");
  });

  it.each<[string, object, object]>([
    ["a limit with a unit", { MAX_BODY_BYTES: "10MB" }, { maxBodyBytes: 10_485_760 }],
    ["no limit", { MAX_BODY_BYTES: undefined }, { maxBodyBytes: 10_485_760 }],
    ["an empty limit", { MAX_BODY_BYTES: "" }, { maxBodyBytes: 10_485_760 }],
    ["a limit beyond what an isolate holds", { MAX_BODY_BYTES: "10485761" }, { maxBodyBytes: 10_485_760 }],
    ["a limit below any report", { MAX_BODY_BYTES: "1023" }, { maxBodyBytes: 10_485_760 }],
    ["archiving after no time", { ARCHIVE_AFTER_SECONDS: "0" }, { archiveAfterMs: 3_600_000 }],
    ["archiving after more than a day", { ARCHIVE_AFTER_SECONDS: "86401" }, { archiveAfterMs: 3_600_000 }],
  ])("with %s uses the default, and logs it", (_, by, expected) => {
    expect(readSettings(changed(by))).toMatchObject(expected);
    expect(written).toHaveLength(1);
    expect(written[0]).toContain(Object.keys(by)[0]);
  });

  it.each<[string, object, RegExp]>([
    ["without a secret", { id: "broken" }, /1\.secret_sha256/],
    [
      "whose secret is no hash",
      { id: "broken", secret_sha256: "portal-secret" },
      /1\.secret_sha256: must be 64 hex/,
    ],
    ["without an id", { id: "", secret_sha256: HASH }, /1\.id/],
    [
      "of an unknown kind of owner",
      { id: "broken", secret_sha256: HASH, owner: { type: "king", id: "x" } },
      /1\.owner\.type/,
    ],
    ["that is no object", "broken" as unknown as object, /PORTAL_CLIENTS: 1/],
  ])("leaves out a portal client %s, and keeps the others", (_, entry, reason) => {
    const settings = readSettings(changed(clients({ id: "p", secret_sha256: HASH }, entry)));
    expect(settings.portalClients.map(({ id }) => id)).toEqual(["p"]);
    expect(written).toHaveLength(1);
    expect(written[0]).toMatch(reason);
  });

  it("reads the same bindings once", () => {
    const env = changed({});
    expect(readSettings(env)).toBe(readSettings(env));
    expect(readSettings(boundedForRequests(env))).toBe(readSettings(env));
  });
});

describe("a gateway that is not configured", () => {
  const portalRead = (client: string, headers: Record<string, string> = {}): [string, RequestInit] => [
    "/api/v1/connections?owner_type=payroll_company&owner_id=acme",
    { headers: { "X-Client-ID": client, "X-Client-Secret": `${client}-secret`, ...headers } },
  ];

  it.each(BROKEN.filter(([, , part]) => part !== "key_ring"))(
    "takes reports, answers for them and runs its cron with %s",
    async (_, by) => {
      const using = changed(by);
      const connection = await createBoundConnection();
      const key = await createApiKey();
      const answer = await post(connection, report(), {}, using);
      expect(answer.status).toBe(202);
      const headers = { Authorization: `Bearer ${key.token}` };
      expect((await send("/api/v1/files", { headers }, using)).status).toBe(200);
      expect((await send("/health", {}, using)).status).toBe(200);
      await runCron(Date.now(), using);
      expect(written.join()).not.toContain("failed to run a part of the minute cron");
      await deliver([{ file_ids: [answer.json.file_id] }], using);
    },
  );

  it.each(BROKEN.filter(([, , part]) => part === "key_ring"))(
    "answers 503 at every endpoint that seals or opens with %s, and names the part",
    async (_, by) => {
      const using = changed(by);
      const connection = await createBoundConnection();
      written = [];
      const answer = await post(connection, report(), {}, using);
      expect(answer).toMatchObject({
        status: 503,
        json: { error: "Service unavailable", code: "NOT_CONFIGURED", details: { part: "key_ring" } },
      });
      expect(answer.headers.get("Retry-After")).toBe("60");
      expect(answer.headers.get("X-Audit1-Request-Id")).toBe(answer.json.request_id);
      expect(JSON.stringify(answer.json)).not.toContain("VAULT");
      await post(connection, report(), {}, using);
      const lines = written.map((line) => JSON.parse(line).message);
      expect(lines.filter((message) => message === "failed to read a setting")).toHaveLength(1);
      for (const secret of [KEY, SHORT_KEY, HASH]) expect(written.join()).not.toContain(secret.slice(0, 12));
      // Requests that need no key still work.
      expect((await send(...portalRead("portal"), using)).status).toBe(200);
    },
  );

  it.each(BROKEN.filter(([, , part]) => part === "portal_clients"))(
    "answers 503 to portal clients with %s",
    async (_, by) => {
      const answer = await send(...portalRead("portal"), changed(by));
      expect(answer).toMatchObject({
        status: 503,
        json: { code: "NOT_CONFIGURED", details: { part: "portal_clients" } },
      });
    },
  );

  it("answers 503 to a portal client whose own entry cannot be used, and serves the others", async () => {
    const using = changed(
      clients({ id: "portal", secret_sha256: HASH }, { id: "bound", secret_sha256: "oops" }),
    );
    expect((await send(...portalRead("portal"), using)).status).toBe(200);
    expect((await send(...portalRead("bound"), using)).json).toMatchObject({ code: "NOT_CONFIGURED" });
    expect((await send(...portalRead("nobody"), using)).status).toBe(401);
  });

  it("does not accept a pair that is bound to an owner as the files-creator's", async () => {
    const entry = { id: "bound", secret_sha256: HASH, owner: { type: "payroll_company", id: "acme" } };
    const using = changed(clients({ ...entry, role: "files_creator" }));
    expect((await send(...portalRead("bound"), using)).json).toMatchObject({ code: "NOT_CONFIGURED" });
  });

  it("is a 503 for people if Access is half configured, and serves client pairs", async () => {
    const using = changed({ ACCESS_TEAM: "acme" });
    const answer = await send(
      "/api/v1/connections?owner_type=payroll_company&owner_id=acme",
      { headers: { "Cf-Access-Jwt-Assertion": "a.b.c" } },
      using,
    );
    expect(answer).toMatchObject({
      status: 503,
      json: { code: "NOT_CONFIGURED", details: { part: "access" } },
    });
    expect((await send(...portalRead("portal"), using)).status).toBe(200);
  });

  it("serves again as soon as it is configured, and has forgotten nothing", async () => {
    const connection = await createBoundConnection();
    const request = await signedRequest(connection);
    expect((await send(inboundPath(connection), request, changed({ VAULT_KEYS: "" }))).status).toBe(503);
    expect((await send(inboundPath(connection), request)).status).toBe(202);
  });

  it("with a ring that lacks a connection's key answers 503 for that connection, and logs which key", async () => {
    const connection = await createBoundConnection();
    const answer = await post(connection, report(), {}, changed({ VAULT_KEYS: `other:${KEY}` }));
    expect(answer.status).toBe(503);
    expect(written.map((line) => JSON.parse(line))).toContainEqual(
      expect.objectContaining({ message: "failed to look up a sender", ring_key: "test-1" }),
    );
    expect((await post(connection)).status).toBe(202);
  });
});
