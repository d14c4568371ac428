/**
 * Work in steps that the reader's page drives: posts the form that leads to the next step, and shows the answer in its place, until
 * the answer has no such form. The address follows, so that a reload goes on from there.
 */

const WAIT_MS = 200;
const AFTER_FAILURE_MS = 5_000;

async function goOn(form: HTMLFormElement, part: HTMLElement): Promise<void> {
  const fields = [...new FormData(form)].map(([name, value]) => [name, String(value)]);
  const response = await fetch(form.action, { method: "POST", body: new URLSearchParams(fields) });
  // The session has ended: the sign-in page says so, and nothing more is posted.
  if (new URL(response.url).pathname !== location.pathname) {
    form.remove();
    return location.assign(response.url);
  }
  const fresh = new DOMParser().parseFromString(await response.text(), "text/html");
  const next = fresh.getElementById(part.id);
  if (next === null) throw new Error(`status ${response.status}`);
  if (response.redirected) history.replaceState(null, "", response.url);
  part.replaceWith(next);
}

function plan(ms: number): void {
  const form = document.querySelector<HTMLFormElement>("[data-steps] form[data-continue]");
  const part = form?.closest<HTMLElement>("[data-steps]");
  if (!form || !part) return;
  setTimeout(() => {
    // The reader may have been quicker.
    if (!form.isConnected) return;
    goOn(form, part).then(
      () => plan(WAIT_MS),
      () => plan(AFTER_FAILURE_MS),
    );
  }, ms);
}

plan(WAIT_MS);
