/** Counts the files of an hour: a pure function of the files, so that counting an hour again gives the same. */
import { type Counts, count } from "./counts.ts";
import { countLatency } from "./histogram.ts";

/** The facts of an accepted file that are counted. Times in milliseconds. */
export interface CountedFile {
  status: "queued" | "processing" | "completed" | "failed";
  bytes: number;
  /** The sender's timestamp; with an API key, when the report had arrived. */
  sentAt: number;
  receivedAt: number;
  /** How long its acceptance took; null if that is not known. */
  acceptedMs: number | null;
  /** When the files-creator first had it; null if it has not, or if that was not yet recorded. */
  forwardedAt: number | null;
  /** When it was first completed; null unless it is. */
  completedAt: number | null;
}

/** Adds a file to the counts of the hour in which it was minted. */
export function countFile(counts: Counts, file: CountedFile): void {
  count(counts, "accepted");
  count(counts, "bytes", file.bytes);
  if (file.status === "completed" || file.status === "failed") count(counts, file.status);
  if (file.acceptedMs !== null) countLatency(counts, "latency_accepted", file.acceptedMs);
  if (file.forwardedAt !== null)
    countLatency(counts, "latency_forwarded", file.forwardedAt - file.receivedAt);
  if (file.completedAt !== null) countLatency(counts, "latency_completed", file.completedAt - file.sentAt);
}
