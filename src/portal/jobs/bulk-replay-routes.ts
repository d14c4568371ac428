/** `POST /files/replay`: has the files that filters match forwarded again. */
import { Hono } from "hono";
import { findGateOwner } from "../../db/gates.ts";
import { type AppContext, type AppEnv, failureResponse } from "../../http/context.ts";
import type { Failure } from "../../http/failure.ts";
import { iso } from "../../http/iso.ts";
import type { Count } from "../../jobs/job-store.ts";
import { firstFile } from "../../jobs/replay-files.ts";
import { countFiles, type FileFilters, fileFilterOf } from "../../jobs/replay-selection.ts";
import { API_KEY_PREFIX, type GateAddress, gateName, OWNER_TYPES } from "../../model.ts";
import { err, ok, type Result } from "../../result.ts";
import { mayActFor, type Owner, ownerOf } from "../owner.ts";
import { begin, isNamed, presentCount } from "./begin-job.ts";
import { replayFiles } from "./job-contract.ts";

export const bulkReplays = new Hono<AppEnv>().post("/files/replay", replayFiles, async (c) => {
  const { owner_type, owner_id, dry_run, count, since, until, ...rest } = c.req.valid("json");
  const gate = gateOf(rest);
  const owner = await ownerOfReplay(c, { owner_type, owner_id }, gate);
  if (!owner.ok) return failureResponse(c, owner.error);
  const now = Date.now();
  const filters: FileFilters = {
    ...rest,
    ...(gate !== null && named(gate)),
    ...(since !== undefined && { since: iso(Date.parse(since)) }),
    until: iso(Math.min(now, until === undefined ? now : Date.parse(until))),
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

interface Named {
  connection_id?: string | undefined;
  api_key_id?: string | undefined;
}

function gateOf({ connection_id, api_key_id }: Named): GateAddress | null {
  if (connection_id !== undefined) return { kind: "connection", id: connection_id.toLowerCase() };
  if (api_key_id !== undefined) return { kind: "key", id: api_key_id.toLowerCase().slice(-24) };
  return null;
}

function named({ kind, id }: GateAddress): Named {
  return kind === "connection" ? { connection_id: id } : { api_key_id: `${API_KEY_PREFIX}${id}` };
}

/** The owner whose files are replayed: that of the named connection or key, if one is named. */
async function ownerOfReplay(
  c: AppContext,
  given: Parameters<typeof ownerOf>[1],
  gate: GateAddress | null,
): Promise<Result<Owner, Failure>> {
  const client = c.get("client");
  if (gate === null) return ownerOf(client, given);
  const row = await findGateOwner(c.env.DB, gate);
  const type = OWNER_TYPES.find((each) => each === row?.owner_type);
  const owner = row === null || type === undefined ? null : { type, id: row.owner_id };
  if (owner === null || !mayActFor(client, owner) || !isNamed(owner, given))
    return err({ kind: gate.kind === "key" ? "api_key_not_found" : "connection_not_found" });
  return ok(owner);
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
