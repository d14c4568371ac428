/**
 * The gateway assigns an id to every request. It is in the response, every log line and every record of the request. The
 * caller's own `X-Request-Id` is stored beside it and returned if it is well-formed; an incoming `X-Audit1-Request-Id` is
 * ignored.
 *
 * The id says where the record of its request is: `req_`, an address, the time (11 hex digits: milliseconds) and a random part
 * (12 hex digits). The address is one of
 * - `c` and a connection's id: a request to the signed intake, whether or not there is such a connection;
 * - `k` and the first 24 hex digits of a token's SHA-256: a request to an intake for reports with a bearer key;
 * - `p`: a request to the portal API;
 * - `o`: any other request, including those to an intake without a usable id or token.
 */
import { onlyValue } from "./repeated-header.ts";

const WELL_FORMED = /^[A-Za-z0-9._-]{1,64}$/;
const REQUEST_ID = /^req_(?:([ck])([0-9a-f]{24})|([po]))([0-9a-f]{11})[0-9a-f]{12}$/i;
/** A longer text is no request id. */
const LONGEST = 52;
const ADDRESS_DIGITS = 24;
const TIME_DIGITS = 11;
/** The last group of a UUID is random. */
const LAST_GROUP = 24;

const API = "/api/v1/";
const SIGNED_INTAKE = "/api/v1/webhook/inbound";
const KEY_INTAKES = ["/api/v1/payroll/reports", "/api/v1/employees/sync"];
const CONNECTION_ID = /^[0-9a-f]{24}$/i;

const KINDS = { c: "connection", k: "key", p: "portal", o: "other" } as const;

export interface RequestId {
  /** In lower case, as it was minted. */
  id: string;
  /** When the request came, in milliseconds. */
  at: number;
  kind: (typeof KINDS)[keyof typeof KINDS];
  /** The connection's id, or the first digits of the token's hash. Empty for the other kinds. */
  address: string;
}

export function mintRequestId(address: string, now: number): string {
  return `req_${address}${now.toString(16).padStart(TIME_DIGITS, "0")}${crypto.randomUUID().slice(LAST_GROUP)}`;
}

/** Null if `text` is not a request id. Letter case does not matter. */
export function parseRequestId(text: string): RequestId | null {
  if (text.length > LONGEST) return null;
  if (!REQUEST_ID.test(text)) return null;
  const id = text.toLowerCase();
  const [, sender, address = "", other, time] = REQUEST_ID.exec(id) ?? [];
  const letter = (sender ?? other) as keyof typeof KINDS | undefined;
  if (letter === undefined || time === undefined) return null;
  return { id, at: Number.parseInt(time, 16), kind: KINDS[letter], address };
}

/** Whether requests at this path identify themselves with a bearer key and leave a record. */
export function isKeyIntake(path: string): boolean {
  return KEY_INTAKES.includes(path);
}

/**
 * The address in the id of a request. `path` is decoded and ends with no slash, as the router sees it. `tokenSha256` is the
 * hash of a well-formed bearer token at an intake; null otherwise.
 */
export function requestAddress(path: string, headers: Headers, tokenSha256: string | null): string {
  if (path.startsWith(SIGNED_INTAKE)) {
    const id = path.slice(SIGNED_INTAKE.length + 1);
    return CONNECTION_ID.test(id) ? `c${id.toLowerCase()}` : "o";
  }
  if (isKeyIntake(path)) return tokenSha256 === null ? "o" : `k${tokenSha256.slice(0, ADDRESS_DIGITS)}`;
  return path.startsWith(API) && !readsWithKey(headers) ? "p" : "o";
}

/** The portal API and the developer API share paths. */
function readsWithKey(headers: Headers): boolean {
  return headers.has("Authorization") && !headers.has("X-Client-ID");
}

/** The caller's own id; null if it sent none, or one that is not well-formed. */
export function callerRequestId(headers: Headers): string | null {
  const given = onlyValue(headers.get("X-Request-Id") ?? "");
  return given !== null && WELL_FORMED.test(given) ? given : null;
}

export function requestIdHeaders(minted: string, callers: string | null): Record<string, string> {
  return { "X-Audit1-Request-Id": minted, "X-Request-Id": callers ?? minted };
}
