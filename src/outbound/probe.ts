/** Whether anything accepts connections at an address: a connection is opened and closed again, and nothing is said on it. */
import { connect } from "cloudflare:sockets";

/** Asked after an attempt has failed: whoever takes longer is as good as not there. */
const PROBE_TIMEOUT_MS = 1_000;

export async function accepts(url: URL): Promise<boolean> {
  const port = Number(url.port || (url.protocol === "https:" ? 443 : 80));
  try {
    const socket = connect({ hostname: url.hostname, port });
    // Rejects with the connection; that is told by `opened`.
    socket.closed.catch(() => undefined);
    const opened = socket.opened.then(
      () => true,
      () => false,
    );
    const expired = scheduler.wait(PROBE_TIMEOUT_MS).then(() => false);
    const answer = await Promise.race([opened, expired]);
    // What was to be learned is known: whether closing works changes nothing.
    socket.close().catch(() => undefined);
    return answer;
  } catch {
    // The platform refuses some addresses and ports without trying.
    return false;
  }
}
