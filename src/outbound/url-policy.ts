/**
 * Where the gateway sends to, and where never: asked when a webhook is registered and again before every attempt. Pure.
 *
 * A public name over HTTPS, and nothing else. The host is judged as `URL` reads it, which undoes every disguise (decimal and
 * octal addresses, full-width digits, percent signs). No address literal is allowed, not even a public one: hardly any has a
 * certificate, they change hands, and so there is no list of ranges to keep. What a name resolves to is the platform's to
 * judge: requests leave from its edge, where no private network is reachable.
 */

export interface AddressPolicy {
  /** Domain names that Audit1 answers under. They and every name below them are refused. */
  ownZones: readonly string[];
  /** Host names within those zones that webhooks may lead to all the same. */
  allowedHosts: readonly string[];
  /** For local development: accepts addresses of this computer too, over http and on any port. Never anything else that is private. */
  allowInsecure: boolean;
}

/** `url` is the address as it is to be kept and called; `reason` and `advice` are for people. */
export type CheckedTarget = { ok: true; url: string } | { ok: false; reason: string; advice: string };

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
/** `host.docker.internal` is this computer as its containers see it. */
const THIS_COMPUTER = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\]|host\.docker\.internal)$/;
/** Ends every masked address, so that none is taken for a whole one. */
export const MASK = "…";
/** As `URL` writes it in a path or a query. */
const ENCODED_MASK = /%E2%80%A6/i;

export function checkTarget(text: string, policy: AddressPolicy): CheckedTarget {
  if (text.length > MAX_URL_CHARS)
    return refused(`The address is longer than ${MAX_URL_CHARS} characters`, "Use a shorter one");
  if (text.includes(MASK) || ENCODED_MASK.test(text))
    return refused(
      "The address is masked: it ends in …",
      "Send the whole address, or leave `url` out to keep the present one",
    );
  // `URL` drops these or turns them into something else: what is kept would not be what was written.
  if (/[\s\\]|\p{Cc}/u.test(text))
    return refused(
      "The address holds spaces, control characters or backslashes",
      "Percent-encode them, or remove them",
    );
  if (!URL.canParse(text)) return refused("Not a valid address", WHOLE);
  const url = new URL(text);
  if (url.username !== "" || url.password !== "")
    return refused("The address holds credentials; send them in a header", "Use the webhook's `headers`");
  url.hash = "";
  const isHttp = url.protocol === "https:" || url.protocol === "http:";
  if (policy.allowInsecure && isHttp && THIS_COMPUTER.test(url.hostname)) return { ok: true, url: url.href };
  if (url.protocol !== "https:") return refused("The address must begin with https://", WHOLE);
  if (url.port !== "" && Number(url.port) !== HTTPS_PORT && Number(url.port) < FIRST_UNPRIVILEGED_PORT)
    return refused(
      `The port must be ${HTTPS_PORT} or at least ${FIRST_UNPRIVILEGED_PORT}`,
      "Serve the endpoint on another port",
    );
  return refusalOf(url.hostname, policy) ?? { ok: true, url: url.href };
}

const WHOLE = "Send a whole address such as https://hooks.example.com/audit1";
const PUBLIC = "Use a host name that resolves on the public internet";

function refusalOf(host: string, { ownZones, allowedHosts }: AddressPolicy): CheckedTarget | null {
  if (host.startsWith("[") || IPV4.test(host))
    return refused("The host must be a name, not an IP address", PUBLIC);
  if (host.endsWith(".")) return refused("The host must not end with a dot", "Remove the dot");
  const labels = host.split(".");
  if (host.length > 253 || !labels.every((label) => LABEL.test(label)))
    return refused("Not a valid host name", PUBLIC);
  if (labels.length === 1 || isUnder(host, LOCAL_SUFFIXES))
    return refused("The host is not a public name", PUBLIC);
  if (isUnder(host, WILDCARD_SUFFIXES)) return refused("The host is a name for other addresses", PUBLIC);
  if (isUnder(host, ownZones) && !allowedHosts.includes(host))
    return refused("The host belongs to Audit1", "Use an endpoint of your own");
  return null;
}

function isUnder(host: string, suffixes: readonly string[]): boolean {
  return suffixes.some((suffix) => host === suffix || host.endsWith(`.${suffix}`));
}

function refused(reason: string, advice: string): CheckedTarget {
  return { ok: false, reason, advice };
}

/** Characters of the path that a masked address shows. */
const SHOWN_PATH_CHARS = 8;
/** Characters of a text that is no address, up to its path. */
const SHOWN_HOST_CHARS = 64;

/** Host, `/`, the first characters of the path, and `…`. What follows in path and query is often a credential. */
export function maskTarget(url: string): string {
  const { host, pathname } = new URL(url);
  return `${host}/${pathname.slice(1, 1 + SHOWN_PATH_CHARS)}${MASK}`;
}

/** Why an address was refused, for the person who gave it: the address masked, what is wrong with it, and what to do. */
export function describeRefusal(
  given: string,
  { reason, advice }: { reason: string; advice: string },
): string {
  return `${maskGiven(given)}: ${reason.charAt(0).toLowerCase()}${reason.slice(1)}. ${advice}.`;
}

function maskGiven(text: string): string {
  if (text.includes(MASK)) return text.slice(0, text.indexOf(MASK)).slice(0, SHOWN_HOST_CHARS) + MASK;
  const [, afterScheme = ""] = /^(?:[a-z][a-z0-9+.-]*:)?(?:\/\/)?(.*)$/is.exec(text) ?? [];
  const [authority = ""] = afterScheme.split(/[/?#\\\s]/, 1);
  const host = authority.slice(authority.lastIndexOf("@") + 1).slice(0, SHOWN_HOST_CHARS);
  return host === "" ? MASK : `${host}/${MASK}`;
}
