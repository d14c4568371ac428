/** `/` focuses Find. */

export function upgradeKeys(): void {
  document.addEventListener("keydown", (event) => {
    if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey) return;
    const { target } = event;
    if (target instanceof HTMLElement && target.closest("input, textarea, select, [contenteditable]")) return;
    const find = document.querySelector<HTMLInputElement>("input[data-find]");
    if (find === null) return;
    event.preventDefault();
    find.focus();
    find.select();
  });
}
