/** Follows an import of employers: counted while it runs, stopped and continued by its reader, also after a reload. */
import { type ImportState, importOn, savedImport, saveImport } from "./import-run.ts";

const MOST_SHOWN = 1_000;

function upgradeImport(form: HTMLFormElement, panel: HTMLElement): void {
  const part = <Found extends HTMLElement>(name: string): Found => {
    const found = panel.querySelector<Found>(`[data-${name}]`);
    if (found === null) throw new Error(`no part ${name}`);
    return found;
  };
  const [stop, go, discard] = [part("stop"), part("continue"), part("discard")];
  let stopping = new AbortController();

  const show = (state: ImportState, words: string, isRunning: boolean) => {
    panel.hidden = false;
    form.hidden = isRunning;
    stop.hidden = !isRunning;
    go.hidden = discard.hidden = isRunning || savedImport() === null;
    part<HTMLProgressElement>("share").value = Math.min(
      1,
      (state.from - 1) / state.list.trimEnd().split("\n").length,
    );
    const refused = state.problems.filter(({ line }) => line < state.from).length;
    const counts = Object.entries({
      created: state.created,
      updated: state.updated,
      "up to date before": state.unchanged,
      refused,
    });
    const counted = counts.map(([name, n]) => `${n.toLocaleString("en-US")} ${name}`).join(", ");
    part("words").textContent = `${words} So far ${counted}.`;
    const items = state.problems.slice(0, MOST_SHOWN).map((problem) => {
      const item = document.createElement("li");
      item.textContent = problem.words;
      return item;
    });
    part("problems").replaceChildren(...items);
  };

  const run = async (state: ImportState) => {
    stopping = new AbortController();
    saveImport(state);
    show(state, "Importing.", true);
    const progressed = () => show(state, `Line ${(state.from - 1).toLocaleString("en-US")}.`, true);
    try {
      for (let from = 0; from < state.from; ) {
        from = state.from;
        const why = await importOn(state, stopping.signal, progressed);
        if (why === null) {
          saveImport(null);
          form.reset();
          return show(state, "Finished: every line was imported, but for those that were refused.", false);
        }
        // The API takes so many lines at a time: the rest is another import.
        if (state.from === from) return show(state, `${why} Line ${from} is next.`, false);
      }
    } catch (error) {
      const why = stopping.signal.aborted
        ? "Stopped."
        : error instanceof Error
          ? error.message
          : String(error);
      show(state, `${why} Line ${state.from} is next.`, false);
    }
  };

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    // The script of every page would disable the button.
    event.stopPropagation();
    const file = form.querySelector<HTMLInputElement>("input[type=file]")?.files?.[0];
    const list = (await file?.text()) ?? form.querySelector("textarea")?.value ?? "";
    await run({ list, from: 1, created: 0, updated: 0, unchanged: 0, problems: [] });
  });
  stop.addEventListener("click", () => stopping.abort());
  go.addEventListener("click", () => {
    const state = savedImport();
    if (state !== null) run(state);
  });
  discard.addEventListener("click", () => {
    saveImport(null);
    panel.hidden = true;
  });
  const open = savedImport();
  if (open !== null) show(open, `This import is not finished: line ${open.from} is next.`, false);
}

const form = document.querySelector<HTMLFormElement>("form[data-import]");
const panel = document.getElementById("import");
if (form !== null && panel !== null) upgradeImport(form, panel);
