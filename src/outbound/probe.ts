/** Probes whether anything accepts connections at a URL: a connection is opened and closed again, and nothing is sent on it. */
import { connect } from "cloudflare:sockets";

/** The attempt has already failed: a host that takes longer counts as unreachable. */
const PROBE_TIMEOUT_MS = 1_000;

export async function accepts(url: URL): Promise<boolean> {
  const port = Number(url.port || (url.protocol === "https:" ? 443 : 80));
  try {
    const socket = connect({ hostname: url.hostname, port });
    // Rejects together with `opened`, which is handled below.
    socket.closed.catch(() => undefined);
    const opened = socket.opened.then(
      () => true,
      () => false,
    );
    const expired = scheduler.wait(PROBE_TIMEOUT_MS).then(() => false);
    const answer = await Promise.race([opened, expired]);
    // The result is known: whether closing works changes nothing.
    socket.close().catch(() => undefined);
    return answer;
  } catch {
    // The platform rejects some addresses and ports without trying.
    return false;
  }
}
