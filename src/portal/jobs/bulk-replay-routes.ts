/** `POST /files/replay`: has the files that filters match forwarded again. */
import { Hono } from "hono";
import { findGateOwner } from "../../db/gates.ts";
import { type AppContext, type AppEnv, failureResponse } from "../../http/context.ts";
import type { Failure } from "../../http/failure.ts";
import { NO_SUCH_SENDER, senderOf } from "../../inbound/file-list.ts";
import type { Count } from "../../jobs/job-store.ts";
import { firstFile } from "../../jobs/replay-files.ts";
import { countFiles, type FileFilters, fileFilterOf } from "../../jobs/replay-selection.ts";
import { API_KEY_PREFIX, type GateAddress, gateName } from "../../model.ts";
import { begin, ownerOfJob, presentCount, rangeOf } from "./begin-job.ts";
import { replayFiles } from "./job-contract.ts";

export const bulkReplays = new Hono<AppEnv>().post("/files/replay", replayFiles, async (c) => {
  const { owner_type, owner_id, dry_run, count, connection_id, api_key_id, since, until, ...rest } =
    c.req.valid("json");
  const sender = senderOf({ connection_id, api_key_id });
  if (!sender.ok) return failureResponse(c, sender.error);
  const gate = sender.value;
  const row = gate === null ? undefined : await findGateOwner(c.env.DB, gate);
  const owner = ownerOfJob(c, { owner_type, owner_id }, row, NO_SUCH_SENDER[gate?.kind ?? "connection"]);
  if (!owner.ok) return failureResponse(c, owner.error);
  const now = Date.now();
  const filters: FileFilters = {
    ...(gate !== null && nameOf(gate)),
    ...rest,
    ...rangeOf({ since, until }, now),
  };
  const filter = fileFilterOf(filters);
  const takesCompleted = filter.statuses.includes("completed");
  const refused = takesCompleted ? refusalOfCompleted(c, filters, gate) : null;
  if (refused !== null) return failureResponse(c, refused);
  if (filter.range.from >= filter.range.to) return failureResponse(c, { kind: "range_empty" });
  const counted = await countFiles(c.env, owner.value, gate, filter, now);
  if (!counted.ok) return failureResponse(c, { kind: "files_erased" });
  const found = presentCount(counted.value);
  if (dry_run) return c.json({ dry_run: true, matched: found });
  if (takesCompleted && !isConfirmed(counted.value, count))
    return failureResponse(c, { kind: "count_differs", count: found });
  const begun = {
    kind: "files.replay",
    gate: gate && gateName(gate),
    filters,
    position: firstFile(gate),
  } as const;
  return begin(c, owner.value, begun, counted.value, now);
});

function nameOf({ kind, id }: GateAddress) {
  return kind === "connection" ? { connection_id: id } : { api_key_id: `${API_KEY_PREFIX}${id}` };
}

/** A completed file that is replayed may be a doubled premium, so only the portal itself may ask for it, and only for one sender. */
function refusalOfCompleted(c: AppContext, filters: FileFilters, gate: GateAddress | null): Failure | null {
  if (filters.include_completed !== true)
    return {
      kind: "invalid_fields",
      details: { include_completed: "Must be true: a completed file that is replayed is processed twice" },
    };
  if (c.get("client").owner !== undefined)
    return {
      kind: "invalid_fields",
      details: { include_completed: "Only the portal itself can replay completed files" },
    };
  if (gate === null)
    return {
      kind: "invalid_fields",
      details: {
        connection_id: "Completed files are replayed for one connection_id or api_key_id at a time",
      },
    };
  return null;
}

function isConfirmed({ n, more }: Count, count: number | undefined): boolean {
  return !more && n === count;
}
