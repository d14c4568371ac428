/** Runs an import of employers through the API, which answers while it works. */
import type { ImportEvent } from "../../../../portal/employers/employer-import.ts";
import type { Api, RefusedCall } from "../../../api.ts";
import type { ImportLines } from "./import-lines.ts";

/** Line numbers of all events are those of the list. */
export type Events = AsyncGenerator<ImportEvent, void>;

/** `from`: the first line that is imported, counted from 1. */
export async function runImport(
  api: Api,
  { lines, problems }: ImportLines,
  from: number,
): Promise<{ ok: true; events: Events } | RefusedCall> {
  const before = from - 1;
  const answer = await api.stream("POST", "/employers/import", {
    body: lines
      .slice(before)
      .map((line) => `${line}\n`)
      .join(""),
    contentType: "application/x-ndjson",
    scoped: false,
  });
  if (!answer.ok) return answer;
  const unread = problems.filter(({ line }) => line >= from);
  return { ok: true, events: eventsOf(answer.body, unread, before) };
}

async function* eventsOf(
  body: ReadableStream<Uint8Array>,
  unread: ImportLines["problems"],
  before: number,
): Events {
  const waiting = [...unread];
  for await (const text of linesOf(body)) {
    const event = JSON.parse(text) as ImportEvent;
    if (event.type === "problem") {
      yield { ...event, line: event.line + before };
      continue;
    }
    const lines = event.lines + before;
    // Those that the API was not sent are refused, too, as far as it has come.
    while (waiting[0] !== undefined && waiting[0].line <= lines) {
      const problem = waiting.shift();
      if (problem !== undefined) yield { type: "problem", ...problem };
    }
    const refused = event.refused + unread.length - waiting.length;
    yield event.type === "end" && !event.complete
      ? { ...event, lines, refused, continue_at_line: event.continue_at_line + before }
      : { ...event, lines, refused };
  }
}

async function* linesOf(body: ReadableStream<Uint8Array>): AsyncGenerator<string, void> {
  let rest = "";
  const decoder = new TextDecoder();
  for await (const bytes of body) {
    const lines = `${rest}${decoder.decode(bytes, { stream: true })}`.split("\n");
    rest = lines.pop() ?? "";
    yield* lines;
  }
}
