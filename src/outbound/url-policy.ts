/**
 * The policy for target URLs: which URLs the gateway sends to. It is applied when a webhook is registered and again before
 * every attempt. Pure.
 *
 * Only a public host name over HTTPS is allowed. The host is checked as `URL` parses it, which undoes every disguise (decimal
 * and octal addresses, full-width digits, percent signs). IP addresses are rejected, even public ones: hardly any has a
 * certificate, and they change hands. So there is no list of ranges to maintain. The platform decides what a name resolves to:
 * requests leave from its edge, where no private network is reachable.
 */
import type { UrlPolicy } from "../model.ts";
import { err, ok, type Result } from "../result.ts";

/** Why a URL was rejected, and what to send instead, in words for people. */
export interface UrlProblem {
  reason: string;
  advice: string;
}

/** Some servers reject longer URLs. */
export const MAX_URL_CHARS = 2_048;
const HTTPS_PORT = 443;
/** Lower ports belong to system services. */
const FIRST_UNPRIVILEGED_PORT = 1_024;

/** Names under these are private to a network, or are not on the public internet. RFC 6761, 6762, 7686, 8375, and custom. */
const LOCAL_SUFFIXES = [
  "localhost",
  "localdomain",
  "local",
  "internal",
  "intranet",
  "private",
  "corp",
  "home",
  "lan",
  "arpa",
  "onion",
  "invalid",
];
/** Public names that resolve to the address written in front of them, or to the local computer. */
const WILDCARD_SUFFIXES = [
  "nip.io",
  "sslip.io",
  "xip.io",
  "traefik.me",
  "localtest.me",
  "lvh.me",
  "vcap.me",
  "lacolhost.com",
  "local.gd",
  "localhost.direct",
  "backname.io",
  "rbndr.us",
];
/** As `URL` writes them: IPv4 has four decimal parts, IPv6 is in brackets. */
const IPV4 = /^\d+\.\d+\.\d+\.\d+\.?$/;
const LABEL = /^(?!-)[a-z0-9-]{1,63}(?<!-)$/;
/** `host.docker.internal` is this computer as its containers see it. */
const THIS_COMPUTER = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\]|host\.docker\.internal)$/;
/** Ends every masked URL, so that none is taken for a complete one. */
export const MASK = "…";
/** As `URL` writes it in a path or a query. */
const ENCODED_MASK = /%E2%80%A6/i;

/** The URL as it is stored and called. */
export function checkUrl(text: string, policy: UrlPolicy): Result<string, UrlProblem> {
  if (text.length > MAX_URL_CHARS)
    return rejected(`The address is longer than ${MAX_URL_CHARS} characters`, "Use a shorter one");
  if (text.includes(MASK) || ENCODED_MASK.test(text))
    return rejected(
      "The address is masked: it ends in …",
      "Send the whole address, or leave `url` out to keep the present one",
    );
  // `URL` drops or replaces these, so the stored URL would differ from the given one.
  if (/[\s\\]|\p{Cc}/u.test(text))
    return rejected(
      "The address holds spaces, control characters or backslashes",
      "Percent-encode them, or remove them",
    );
  if (!URL.canParse(text)) return rejected("Not a valid address", WHOLE);
  const url = new URL(text);
  if (url.username !== "" || url.password !== "")
    return rejected("The address holds credentials; send them in a header", "Use the webhook's `headers`");
  url.hash = "";
  const isHttp = url.protocol === "https:" || url.protocol === "http:";
  if (policy.allowInsecure && isHttp && THIS_COMPUTER.test(url.hostname)) return ok(url.href);
  if (url.protocol !== "https:") return rejected("The address must begin with https://", WHOLE);
  if (url.port !== "" && Number(url.port) !== HTTPS_PORT && Number(url.port) < FIRST_UNPRIVILEGED_PORT)
    return rejected(
      `The port must be ${HTTPS_PORT} or at least ${FIRST_UNPRIVILEGED_PORT}`,
      "Serve the endpoint on another port",
    );
  const problem = hostProblem(url.hostname, policy);
  return problem === null ? ok(url.href) : err(problem);
}

const WHOLE = "Send a whole address such as https://hooks.example.com/audit1";
const PUBLIC = "Use a host name that resolves on the public internet";

function hostProblem(host: string, { ownZones, allowedHosts }: UrlPolicy): UrlProblem | null {
  if (host.startsWith("[") || IPV4.test(host))
    return { reason: "The host must be a name, not an IP address", advice: PUBLIC };
  if (host.endsWith(".")) return { reason: "The host must not end with a dot", advice: "Remove the dot" };
  const labels = host.split(".");
  if (host.length > 253 || !labels.every((label) => LABEL.test(label)))
    return { reason: "Not a valid host name", advice: PUBLIC };
  if (labels.length === 1 || isUnder(host, LOCAL_SUFFIXES))
    return { reason: "The host is not a public name", advice: PUBLIC };
  if (isUnder(host, WILDCARD_SUFFIXES))
    return { reason: "The host is a name for other addresses", advice: PUBLIC };
  if (isUnder(host, ownZones) && !allowedHosts.includes(host))
    return { reason: "The host belongs to Audit1", advice: "Use an endpoint of your own" };
  return null;
}

function isUnder(host: string, suffixes: readonly string[]): boolean {
  return suffixes.some((suffix) => host === suffix || host.endsWith(`.${suffix}`));
}

function rejected(reason: string, advice: string): { ok: false; error: UrlProblem } {
  return err({ reason, advice });
}

/** Characters of the path that a masked URL shows. */
const SHOWN_PATH_CHARS = 8;
/** Characters shown of a text that is not a URL. */
const SHOWN_HOST_CHARS = 64;

/** Host, `/`, the first characters of the path, and `…`. The rest of the path and the query often hold a credential. */
export function maskUrl(url: string): string {
  const { host, pathname } = new URL(url);
  return `${host}/${pathname.slice(1, 1 + SHOWN_PATH_CHARS)}${MASK}`;
}

/** The message for the person who sent the URL: the URL masked, what is wrong with it, and what to do. */
export function describeUrlProblem(given: string, { reason, advice }: UrlProblem): string {
  return `${maskGiven(given)}: ${reason.charAt(0).toLowerCase()}${reason.slice(1)}. ${advice}.`;
}

function maskGiven(text: string): string {
  if (text.includes(MASK)) return text.slice(0, text.indexOf(MASK)).slice(0, SHOWN_HOST_CHARS) + MASK;
  const [, afterScheme = ""] = /^(?:[a-z][a-z0-9+.-]*:)?(?:\/\/)?(.*)$/is.exec(text) ?? [];
  const [authority = ""] = afterScheme.split(/[/?#\\\s]/, 1);
  const host = authority.slice(authority.lastIndexOf("@") + 1).slice(0, SHOWN_HOST_CHARS);
  return host === "" ? MASK : `${host}/${MASK}`;
}
