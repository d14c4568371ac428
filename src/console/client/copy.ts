/** Copy buttons. They are hidden without scripts, which cannot reach the clipboard. */

const SHOWN_MS = 1_500;

export function upgradeCopyButtons(root: ParentNode): void {
  for (const button of root.querySelectorAll<HTMLButtonElement>("button[data-copy][hidden]")) {
    button.hidden = false;
    button.addEventListener("click", () => copy(button));
  }
}

async function copy(button: HTMLButtonElement): Promise<void> {
  const { copy: text = "" } = button.dataset;
  try {
    await navigator.clipboard.writeText(text);
    button.dataset.copied = "Copied";
  } catch {
    button.dataset.copied = "Select and copy it by hand: the browser refused";
  }
  setTimeout(() => delete button.dataset.copied, SHOWN_MS);
}
