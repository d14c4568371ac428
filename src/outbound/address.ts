/**
 * Where the gateway sends to, and where never: asked when a webhook is registered and again before every attempt. Pure.
 *
 * A public name over HTTPS, and nothing else. The host is judged as `URL` reads it, which undoes every disguise (decimal and
 * octal addresses, full-width digits, percent signs). No address literal is allowed, not even a public one: hardly any has a
 * certificate, they change hands, and so there is no list of ranges to keep. What a name resolves to is the platform's to
 * judge: requests leave from its edge, where no private network is reachable.
 */

export interface AddressPolicy {
  /** Names that the gateway itself answers under: these and what is below them are refused. */
  ownHosts: readonly string[];
  /** For local development: takes loopback addresses too, over http and on any port. Never anything else that is private. */
  allowInsecure: boolean;
}

/** `url` is the address as it is to be kept and called; `reason` is for people. */
export type CheckedTarget = { ok: true; url: string } | { ok: false; reason: string };

/** Longer ones are not taken by every server on the way. */
export const MAX_URL_CHARS = 2_048;
const HTTPS_PORT = 443;
/** Ports below belong to other services of the system. */
const FIRST_UNPRIVILEGED_PORT = 1_024;

/** Names under these never leave a network, or lead out of the public one. RFC 6761, 6762, 7686, 8375, and custom. */
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
/** Public names that resolve to whatever address is written in front of them, or to this computer. */
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
/** As `URL` writes them: IPv4 has four decimal parts, IPv6 stands in brackets. */
const IPV4 = /^\d+\.\d+\.\d+\.\d+\.?$/;
const LABEL = /^(?!-)[a-z0-9-]{1,63}(?<!-)$/;
const LOOPBACK = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/;

export function checkTarget(text: string, { ownHosts, allowInsecure }: AddressPolicy): CheckedTarget {
  if (text.length > MAX_URL_CHARS) return refused(`The address is longer than ${MAX_URL_CHARS} characters`);
  // `URL` drops these or turns them into something else: what is kept would not be what was written.
  if (/[\s\\]|\p{Cc}/u.test(text))
    return refused("The address holds spaces, control characters or backslashes");
  if (!URL.canParse(text)) return refused("Not a valid address");
  const url = new URL(text);
  if (url.username !== "" || url.password !== "")
    return refused("The address holds credentials; send them in a header");
  url.hash = "";
  const isHttp = url.protocol === "https:" || url.protocol === "http:";
  if (allowInsecure && isHttp && LOOPBACK.test(url.hostname)) return { ok: true, url: url.href };
  if (url.protocol !== "https:") return refused("The address must begin with https://");
  if (url.port !== "" && Number(url.port) !== HTTPS_PORT && Number(url.port) < FIRST_UNPRIVILEGED_PORT)
    return refused(`The port must be ${HTTPS_PORT} or at least ${FIRST_UNPRIVILEGED_PORT}`);
  const reason = reasonAgainst(url.hostname, ownHosts);
  return reason === null ? { ok: true, url: url.href } : refused(reason);
}

function reasonAgainst(host: string, ownHosts: readonly string[]): string | null {
  if (host.startsWith("[") || IPV4.test(host)) return "The host must be a name, not an IP address";
  if (host.endsWith(".")) return "The host must not end with a dot";
  const labels = host.split(".");
  if (host.length > 253 || !labels.every((label) => LABEL.test(label))) return "Not a valid host name";
  if (labels.length === 1 || isUnder(host, LOCAL_SUFFIXES)) return "The host is not a public name";
  if (isUnder(host, WILDCARD_SUFFIXES)) return "The host is a name for other addresses";
  if (isUnder(host, ownHosts)) return "The host is the gateway itself";
  return null;
}

function isUnder(host: string, suffixes: readonly string[]): boolean {
  return suffixes.some((suffix) => host === suffix || host.endsWith(`.${suffix}`));
}

function refused(reason: string): CheckedTarget {
  return { ok: false, reason };
}
