/** The sign-in page: a link's token is in the fragment, which browsers never send. This posts it. */

const form = document.querySelector<HTMLFormElement>("form[data-sign-in]");
const field = form?.querySelector<HTMLInputElement>("input[name=token]");

function postToken(): void {
  const token = location.hash.slice(1);
  if (!form || !field || token === "") return;
  // The token must not stay in the history.
  history.replaceState(null, "", location.pathname + location.search);
  field.value = token;
  form.requestSubmit();
}

postToken();
// Another link, opened where this page is shown already, changes the fragment and loads nothing.
addEventListener("hashchange", postToken);
