/**
 * The address that identifies a caller. The holder of an IPv6 address usually controls its whole /64, so the network
 * identifies the caller. Cloudflare sets the header and overwrites one that the caller sent.
 */
const GROUPS = 8;
const NETWORK_GROUPS = 4;
const MAPPED_IPV4 = /^0:0:0:0:0:ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/;

/** An IPv4 address, or an IPv6 network such as `2001:db8:0:1::/64`. An IPv4 address mapped into IPv6 is that address. */
export function clientAddress(headers: Headers): string {
  const given = headers.get("CF-Connecting-IP") ?? "unknown";
  const groups = given.includes(":") ? ipv6Groups(given) : null;
  if (groups === null) return given;
  const [, high, low] = MAPPED_IPV4.exec(groups.join(":")) ?? [];
  if (high !== undefined && low !== undefined) {
    const bytes = [high, low].map((group) => Number.parseInt(group, 16)).flatMap((n) => [n >> 8, n & 0xff]);
    return bytes.join(".");
  }
  return `${groups.slice(0, NETWORK_GROUPS).join(":")}::/64`;
}

/** The eight groups, in lower case and without leading zeros; null if the text is not an IPv6 address. */
function ipv6Groups(text: string): string[] | null {
  let address = text.toLowerCase();
  const dotted = /^(.*:)(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(address);
  if (dotted !== null) {
    const [a = 0, b = 0, c = 0, d = 0] = dotted.slice(2).map(Number);
    address = `${dotted[1]}${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`;
  }
  const [head = "", tail, ...more] = address.split("::");
  const before = groupsOf(head);
  const after = groupsOf(tail ?? "");
  const missing = GROUPS - before.length - after.length;
  if (more.length > 0 || (tail === undefined ? missing !== 0 : missing < 0)) return null;
  const groups = [...before, ...Array<string>(missing).fill("0"), ...after];
  return groups.every((group) => /^[0-9a-f]{1,4}$/.test(group))
    ? groups.map((group) => group.replace(/^0+(?=.)/, ""))
    : null;
}

function groupsOf(text: string): string[] {
  return text === "" ? [] : text.split(":");
}
