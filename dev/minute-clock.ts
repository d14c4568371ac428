/** Fires the gateway's cron trigger every minute, as production does and the local runtime does not. */

const MINUTE_MS = 60_000;
const CRON = "* * * * *";

/**
 * Fires now and at every full minute, unless the last run has not ended. `onTrouble` is called with the first failure in a
 * row, and with null when the cron works again.
 */
export function startMinuteClock(
  baseUrl: string,
  onTrouble: (problem: string | null) => void,
): { stop(): void } {
  const url = new URL(`/cdn-cgi/handler/scheduled?${new URLSearchParams({ cron: CRON })}`, baseUrl);
  const stopped = new AbortController();
  let running = false;
  let troubled = false;
  let timer: NodeJS.Timeout;

  const fire = async () => {
    if (running) return;
    running = true;
    const problem = await fireCron(url, stopped.signal);
    running = false;
    if (stopped.signal.aborted || (problem === null) === !troubled) return;
    troubled = problem !== null;
    onTrouble(problem);
  };
  const schedule = () => {
    timer = setTimeout(
      () => {
        void fire();
        schedule();
      },
      MINUTE_MS - (Date.now() % MINUTE_MS),
    );
  };
  void fire();
  schedule();
  return {
    stop() {
      stopped.abort();
      clearTimeout(timer);
    },
  };
}

async function fireCron(url: URL, signal: AbortSignal): Promise<string | null> {
  try {
    const response = await fetch(url, { signal });
    const answer = await response.text();
    return response.ok ? null : `${response.status} ${answer.slice(0, 200)}`;
  } catch (error) {
    return String(error);
  }
}
