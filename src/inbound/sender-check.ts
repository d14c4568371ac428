/** Whether there is a sender, and whether it may send reports. */
import type { Failure } from "../http/failure.ts";
import { err, ok, type Result } from "../result.ts";
import type { Intake } from "./intake.ts";
import type { CachedSender, ReportSender } from "./sender-cache.ts";
import type { FoundSender, SenderLookup } from "./sender-lookup.ts";

export interface TurnedAway<S> {
  failure: Failure;
  sender: S | null;
  /** Whether the cause is the row that was found, or that no row exists. */
  isRefusal: boolean;
}

/** The sender, which may send reports. A refusal is confirmed on the primary. */
export async function findSender<S extends ReportSender>(
  intake: Intake<S>,
  lookup: SenderLookup<S>,
): Promise<Result<CachedSender<S>, TurnedAway<S>>> {
  const found = await lookup.find();
  const checked = checkSender(intake, found, null);
  if (checked.ok || !checked.error.isRefusal) return checked;
  if (found.ok && found.value !== null && lookup.isConfirmed(found.value)) return checked;
  return checkSender(intake, await lookup.confirmOnPrimary({ verified: false }), null);
}

/** `before` is the sender as an earlier reading had it. */
export function checkSender<S extends ReportSender>(
  intake: Intake<S>,
  found: FoundSender<S>,
  before: S | null,
): Result<CachedSender<S>, TurnedAway<S>> {
  if (!found.ok) return err({ failure: found.error, sender: before, isRefusal: false });
  const cached = found.value;
  if (cached === null) return err({ failure: intake.unknownSender, sender: before, isRefusal: true });
  const failure = intake.refusalFor(cached.sender);
  return failure === null ? ok(cached) : err({ failure, sender: cached.sender, isRefusal: true });
}
