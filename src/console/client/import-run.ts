/** An import of employers as far as it has come, and one request of it. Until it has ended, the tab's own storage keeps it. */

export interface ImportState {
  list: string;
  /** The line that is imported next, from 1. */
  from: number;
  created: number;
  updated: number;
  unchanged: number;
  problems: { line: number; words: string }[];
}

type Counts = Record<"lines" | "created" | "updated" | "unchanged", number>;
interface Problem {
  type: "problem";
  line: number;
  id?: string;
  message: string;
  details?: Record<string, unknown>;
}
type ImportEvent =
  | Problem
  | ({ type: "progress" } & Counts)
  | ({ type: "end"; complete: boolean; message?: string } & Counts);

const KEY = "audit1.import";

export function savedImport(): ImportState | null {
  return JSON.parse(sessionStorage.getItem(KEY) ?? "null") as ImportState | null;
}

/** A list that is too long for the storage is imported all the same, but cannot be continued. */
export function saveImport(state: ImportState | null): void {
  sessionStorage.removeItem(KEY);
  try {
    if (state !== null) sessionStorage.setItem(KEY, JSON.stringify(state));
  } catch {
    return;
  }
}

/** Imports from `state.from` on. Answers why the import is not complete yet; null if it is. */
export async function importOn(
  state: ImportState,
  signal: AbortSignal,
  progressed: () => void,
): Promise<string | null> {
  const body = new FormData();
  for (const [name, value] of Object.entries({ act: "import", text: state.list, from: state.from }))
    body.set(name, String(value));
  const headers = { Accept: "application/x-ndjson" };
  const response = await fetch(location.href, { method: "POST", body, signal, headers, redirect: "manual" });
  if (!response.ok || response.body === null) throw new Error(await refusal(response));
  const { created, updated, unchanged } = state;
  // What came after the last line that counts comes again.
  state.problems = state.problems.filter(({ line }) => line < state.from);
  for await (const event of eventsOf(response.body)) {
    if (event.type === "problem") {
      state.problems.push({ line: event.line, words: wordsOf(event) });
      continue;
    }
    state.created = created + event.created;
    state.updated = updated + event.updated;
    state.unchanged = unchanged + event.unchanged;
    state.from = event.lines + 1;
    saveImport(state);
    progressed();
    if (event.type === "end") return event.complete ? null : (event.message ?? "It ended early.");
  }
  return "The connection was lost.";
}

async function* eventsOf(body: ReadableStream<BufferSource>): AsyncGenerator<ImportEvent> {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { done, value = "" } = await reader.read();
    if (done) return;
    const lines = `${rest}${value}`.split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) yield JSON.parse(line) as ImportEvent;
  }
}

async function refusal(response: Response): Promise<string> {
  if (response.type === "opaqueredirect")
    return "You are signed out. Open another link in this tab, and come back.";
  if (!response.headers.get("Content-Type")?.includes("json"))
    return `The gateway answered ${response.status}.`;
  return ((await response.json()) as { message: string }).message;
}

function wordsOf({ line, id, message, details = {} }: Problem): string {
  const fields = Object.entries(details).map(([field, problem]) => `${field}: ${String(problem)}`);
  return [`Line ${line}${id ? ` (${id})` : ""}:`, message, ...fields].join(" ");
}
