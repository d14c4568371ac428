/** A form that posts is posted once: its button waits and says so. */

export function upgradeForms(): void {
  document.addEventListener("submit", ({ target }) => {
    if (!(target instanceof HTMLFormElement) || target.method !== "post") return;
    const { busy } = target.dataset;
    for (const button of target.querySelectorAll<HTMLButtonElement>("button[type=submit]")) {
      // After this turn, because a disabled button would not be part of the post.
      setTimeout(() => {
        button.disabled = true;
        if (busy !== undefined) button.textContent = busy;
      });
    }
  });
  // A page that the browser kept is shown again with its buttons as they were.
  addEventListener("pageshow", ({ persisted }) => {
    if (persisted) location.reload();
  });
}
