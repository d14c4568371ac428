/** Why a report is stuck or has failed, in words. */
import type { ShownStuckFile } from "../../portal/files/stuck-file-contract.ts";
import { Badge, type Meaning } from "./badge.tsx";

type Reason = ShownStuckFile["reason"];

export const STUCK_REASONS: Record<Reason, { meaning: Meaning; words: string }> = {
  deferred: { meaning: "waiting", words: "Tried again later" },
  consumer_died: { meaning: "bad", words: "The consumer died" },
  ring_key_missing: { meaning: "bad", words: "A ring key is missing" },
  not_configured: { meaning: "bad", words: "No files-creator is set" },
  refused: { meaning: "bad", words: "Refused by the files-creator" },
  reported_failed: { meaning: "bad", words: "Reported as failed" },
  gave_up: { meaning: "bad", words: "Given up after a day" },
};

/** With the status that the files-creator answered, if it did. */
export function StuckReason({ reason, status }: { reason: Reason; status: number | null }) {
  const { meaning, words } = STUCK_REASONS[reason];
  return (
    <Badge meaning={meaning}>
      {words}
      {status !== null && ` (${status})`}
    </Badge>
  );
}
