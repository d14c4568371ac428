/**
 * The settings, parsed once from variables and secrets. Each part of the gateway reads its own settings. An unusable setting
 * stops its part with a {@link ConfigurationError}, and no other part.
 */
import type { Bindings } from "./bindings.ts";
import { unbounded } from "./bounded.ts";
import { type KeyRing, parseKeyRing } from "./crypto/vault.ts";
import { logError } from "./log.ts";
import type { SettingsPart, UrlPolicy } from "./model.ts";
import {
  type AccessTeam,
  accessTeam,
  type Console,
  consoleFrameAncestors,
  consoleOrigin,
  emailAddress,
  filesCreatorToken,
  filesCreatorUrl,
  inboundOrigin,
  integer,
  type OperatorsWebhook,
  operatorsWebhook,
  type PortalClient,
  parsePortalClients,
  sender,
  text,
  urlPolicy,
} from "./setting-parsers.ts";

/** Reading an unusable setting throws a {@link ConfigurationError}. Each comment names the part that the setting belongs to. */
export interface Settings {
  readonly maxBodyBytes: number;
  readonly archiveAfterMs: number;
  /** Own hosts. The hosts that webhooks may and may not have. */
  readonly urlPolicy: UrlPolicy;
  /** Own hosts. The origin of a connection's address. Null for the origin of the current request. */
  readonly inboundOrigin: string | null;
  /** Key ring. */
  readonly keyRing: KeyRing;
  /** Portal clients. The usable entries. */
  readonly portalClients: readonly PortalClient[];
  /** Access. Null if Access is not used. */
  readonly access: AccessTeam | null;
  /** Files-creator. */
  readonly filesCreator: { url: string; token: string | null };
  /** Mail. */
  readonly operatorsEmail: string;
  /** Mail. */
  readonly emailFrom: string | EmailAddress;
  /** Operators' webhook: where events about alerts are posted. Null if there is none. */
  readonly operatorsWebhook: OperatorsWebhook | null;
  /** Console. Where its pages are, and what may embed them. */
  readonly console: Console;
  /** Portal clients. The ids of unusable entries. */
  readonly unusableClients: ReadonlySet<string>;
  /** The problems of all settings, as they are logged. Never contains a secret. */
  readonly problems: readonly string[];
}

/** The message never contains a secret. */
export class ConfigurationError extends Error {
  override readonly name = "ConfigurationError";
  readonly part: SettingsPart;

  constructor(part: SettingsPart, message: string) {
    super(message);
    this.part = part;
  }
}

const LARGEST_BODY_BYTES = 10 * 1024 ** 2;
const SMALLEST_LIMIT_BYTES = 1_024;
const DEFAULT_ARCHIVE_AFTER_S = 3_600;
const LONGEST_ARCHIVE_AFTER_S = 86_400;

const parsed = new WeakMap<object, Settings>();

/** Never throws: see {@link Settings}. Problems are logged once. */
export function readSettings(bindings: Bindings): Settings {
  const env = unbounded(bindings);
  const known = parsed.get(env);
  if (known !== undefined) return known;
  const settings = settingsOf(env);
  parsed.set(env, settings);
  for (const problem of settings.problems) logError("failed to read a setting", {}, new Error(problem));
  return settings;
}

function settingsOf(env: Bindings): Settings {
  const problems: string[] = [];
  const of = <T>(part: SettingsPart, name: string, parse: () => T) => setting(part, name, parse, problems);
  const keyRing = of("key_ring", "VAULT_KEYS", () => parseKeyRing(text(env.VAULT_KEYS)));
  const clients = of("portal_clients", "PORTAL_CLIENTS", () =>
    parsePortalClients(text(env.PORTAL_CLIENTS), problems),
  );
  const access = of("access", "ACCESS_TEAM", () => accessTeam(text(env.ACCESS_TEAM), text(env.ACCESS_AUD)));
  const filesUrl = of("files_creator", "FILES_CREATOR_URL", () => filesCreatorUrl(env));
  const filesToken = of("files_creator", "FILES_CREATOR_TOKEN", () => filesCreatorToken(env));
  const operators = of("mail", "OPERATORS_EMAIL", () => emailAddress(text(env.OPERATORS_EMAIL)).email);
  const from = of("mail", "EMAIL_FROM", () => sender(emailAddress(text(env.EMAIL_FROM))));
  const inbound = of("own_hosts", "INBOUND_ORIGIN", () => inboundOrigin(env));
  const policy = of("own_hosts", "OWN_ZONES", () => urlPolicy(env, inbound()));
  const alerts = of("operators_webhook", "OPERATORS_WEBHOOK_URL", () => operatorsWebhook(env));
  const consoleAt = of("console", "CONSOLE_ORIGIN", () => consoleOrigin(env));
  const ancestors = of("console", "CONSOLE_FRAME_ANCESTORS", () => consoleFrameAncestors(env));
  const size = { lowest: SMALLEST_LIMIT_BYTES, highest: LARGEST_BODY_BYTES, otherwise: LARGEST_BODY_BYTES };
  const delay = { lowest: 1, highest: LONGEST_ARCHIVE_AFTER_S, otherwise: DEFAULT_ARCHIVE_AFTER_S };
  return {
    maxBodyBytes: integer("MAX_BODY_BYTES", env.MAX_BODY_BYTES, size, problems),
    archiveAfterMs: integer("ARCHIVE_AFTER_SECONDS", env.ARCHIVE_AFTER_SECONDS, delay, problems) * 1_000,
    get keyRing() {
      return keyRing();
    },
    get portalClients() {
      return clients().usable;
    },
    get unusableClients() {
      return clients().unusable;
    },
    get urlPolicy() {
      return policy();
    },
    get inboundOrigin() {
      return inbound();
    },
    get access() {
      return access();
    },
    get filesCreator() {
      return { url: filesUrl(), token: filesToken() };
    },
    get operatorsEmail() {
      return operators();
    },
    get emailFrom() {
      return from();
    },
    get operatorsWebhook() {
      return alerts();
    },
    get console() {
      return { origin: consoleAt(), frameAncestors: ancestors() };
    },
    problems,
  };
}

/** The value that `read` takes from {@link Settings}; `otherwise` if it is unusable. */
export function settingOr<Value, Other>(read: () => Value, otherwise: Other): Value | Other {
  try {
    return read();
  } catch (error) {
    if (error instanceof ConfigurationError) return otherwise;
    throw error;
  }
}

/** Parses a value now. If that fails, reading the value later throws the error. */
function setting<T>(part: SettingsPart, name: string, parse: () => T, problems: string[]): () => T {
  try {
    const value = parse();
    return () => value;
  } catch (error) {
    if (error instanceof ConfigurationError) {
      // The problem of another setting, which is recorded already.
      return () => {
        throw error;
      };
    }
    const problem = `${name}: ${error instanceof Error ? error.message : "cannot be read"}`;
    problems.push(problem);
    return () => {
      throw new ConfigurationError(part, problem);
    };
  }
}
