/**
 * Replaces parts of the page with what the same address shows now. A part that the reader has focused, selected text in or
 * opened a disclosure in is left alone until the next time. A hidden page asks for nothing.
 */

/** After failures the time between two requests doubles up to this. */
const SLOWEST_S = 60;

export function startLive(upgrade: (root: ParentNode) => void): void {
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
  const response = await fetch(location.href, { redirect: "manual", headers: { Accept: "text/html" } });
  // The session has ended: the sign-in page says so.
  if (response.type === "opaqueredirect") return location.reload();
  if (!response.ok) throw new Error(`status ${response.status}`);
  const fresh = new DOMParser().parseFromString(await response.text(), "text/html");
  for (const part of parts) {
    const next = fresh.getElementById(part.id);
    if (next === null || isInUse(part)) continue;
    const known = new Set(
      [...part.querySelectorAll("[data-key]")].map((each) => each.getAttribute("data-key")),
    );
    for (const each of next.querySelectorAll("[data-key]"))
      if (!known.has(each.getAttribute("data-key"))) each.classList.add("arrived");
    part.replaceWith(next);
    upgrade(next);
  }
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
