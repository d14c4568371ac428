/**
 * Replaces parts of the page with what the same address shows now. A part that the reader has focused, selected text in or
 * opened a disclosure in is left alone until the next time, and one that has not changed is left alone, so that no click is lost.
 * A hidden page asks for nothing.
 */

/** After failures the time between two requests doubles up to this. */
const SLOWEST_S = 60;
/** An answer that has not come by then counts as failed: the page must not look fresh while it waits. */
const ANSWER_MS = 20_000;

/** What the server said last, by the part's id. */
const shown = new Map<string, string>();

/** Called before the page is upgraded. */
export function startLive(upgrade: (root: ParentNode) => void): void {
  for (const part of liveParts()) shown.set(part.id, contentOf(part));
  let failures = 0;
  const tick = async () => {
    const parts = liveParts();
    if (parts.length === 0) return;
    if (!document.hidden) {
      try {
        await refresh(parts, upgrade);
        failures = 0;
      } catch {
        failures++;
      }
      document.documentElement.classList.toggle("stale", failures > 0);
    }
    plan();
  };
  const plan = () => {
    const seconds = Math.min(...liveParts().map(({ dataset }) => Number(dataset.live)));
    if (Number.isFinite(seconds)) setTimeout(tick, 1_000 * Math.min(SLOWEST_S, seconds * 2 ** failures));
  };
  plan();
}

function liveParts(): HTMLElement[] {
  return [...document.querySelectorAll<HTMLElement>("[data-live]")];
}

async function refresh(parts: HTMLElement[], upgrade: (root: ParentNode) => void): Promise<void> {
  const response = await fetch(location.href, {
    redirect: "manual",
    headers: { Accept: "text/html" },
    signal: AbortSignal.timeout(ANSWER_MS),
  });
  // The session has ended: the sign-in page says so.
  if (response.type === "opaqueredirect") return location.reload();
  if (!response.ok) throw new Error(`status ${response.status}`);
  const fresh = new DOMParser().parseFromString(await response.text(), "text/html");
  for (const part of parts) {
    const next = fresh.getElementById(part.id);
    if (next === null || isInUse(part)) continue;
    const content = contentOf(next);
    if (shown.get(part.id) === content) {
      upgrade(part);
      continue;
    }
    shown.set(part.id, content);
    const known = new Set(
      [...part.querySelectorAll("[data-key]")].map((each) => each.getAttribute("data-key")),
    );
    for (const each of next.querySelectorAll("[data-key]"))
      if (!known.has(each.getAttribute("data-key"))) each.classList.add("arrived");
    part.replaceWith(next);
    upgrade(next);
  }
}

/** Without "2 min ago", which changes by itself. */
function contentOf(part: HTMLElement): string {
  const copy = part.cloneNode(true) as HTMLElement;
  for (const time of copy.querySelectorAll("time[data-relative]")) time.textContent = "";
  return copy.outerHTML;
}

function isInUse(part: HTMLElement): boolean {
  const selection = getSelection();
  const isSelected =
    selection !== null &&
    !selection.isCollapsed &&
    selection.anchorNode !== null &&
    part.contains(selection.anchorNode);
  return isSelected || part.matches(":focus-within") || part.querySelector("details[open]") !== null;
}
