/** The sign-in page: a link's token is in the fragment, which browsers never send. This posts it. */

const form = document.querySelector<HTMLFormElement>("form[data-sign-in]");
const field = form?.querySelector<HTMLInputElement>("input[name=token]");
const token = location.hash.slice(1);
if (form && field && token !== "") {
  // The token must not stay in the history.
  history.replaceState(null, "", location.pathname + location.search);
  field.value = token;
  form.requestSubmit();
}
