/** Makes a dialog that the server rendered open into a modal one. Closing it leads to the address without it. */

export function upgradeDialogs(): void {
  const dialog = document.querySelector<HTMLDialogElement>("dialog[data-dialog]");
  if (dialog === null) return;
  const close = dialog.querySelector<HTMLAnchorElement>("a.close");
  // Closing it would lead away: the event of `close()` comes after this turn.
  dialog.open = false;
  dialog.showModal();
  dialog.addEventListener("close", () => {
    if (close !== null) location.replace(close.href);
  });
}
