/** Searches a list while somebody types. The same search, sent as a form, is made by the server. */

function searchWhileTyping(field: HTMLInputElement): void {
  const rows = [...document.querySelectorAll<HTMLElement>("[data-row]")].map((element) => ({
    element,
    text: (element.textContent ?? "").toLowerCase(),
  }));
  const count = document.querySelector<HTMLElement>("[data-row-count]");
  const nothing = document.querySelector<HTMLElement>("[data-no-rows]");

  field.addEventListener("input", () => {
    const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const { element, text } of rows) {
      element.hidden = !words.every((word) => text.includes(word));
      if (!element.hidden) shown++;
    }
    if (count !== null) count.textContent = `${shown} of ${rows.length}`;
    if (nothing !== null) nothing.hidden = shown > 0;
    // The address opens what its sender saw.
    const url = new URL(location.href);
    if (words.length === 0) url.searchParams.delete("q");
    else url.searchParams.set("q", field.value);
    history.replaceState(null, "", url);
  });
}

const searched = document.querySelector<HTMLInputElement>("input[data-search-rows]");
if (searched !== null) searchWhileTyping(searched);
