/**
 * Faults to order: how the next answers of POST /files misbehave. Pure: the ledger keeps the list and calls `takeFault` per
 * request.
 */

import * as z from "zod";

/** When a hanging answer ends: longer than any caller waits. */
export const HANG_MS = 600_000;

const MAX_DELAY_MS = 120_000;
const MAX_RETRY_AFTER_S = 86_400;
const MAX_COUNT = 1_000_000;
const MAX_FAULTS = 100;

const fault = z
  .strictObject({
    /** Answer with this status; nothing is stored unless it is 2xx or `store` says so. */
    status: z.int().min(200).max(599).optional(),
    /** Wait before doing anything else. */
    delay_ms: z.int().min(0).max(MAX_DELAY_MS).optional(),
    /** Never answer. Stores nothing unless `store` says so. */
    hang: z.literal(true).optional(),
    /** Store, then break the connection (`true`), or send the headers of a success and break the body (`"body"`). */
    drop: z.union([z.literal(true), z.literal("body")]).optional(),
    /** `Retry-After` of the answer, in seconds. */
    retry_after: z.int().min(0).max(MAX_RETRY_AFTER_S).optional(),
    /** Whether the file is stored and reported although the answer says otherwise. */
    store: z.boolean().optional(),
    /** Whether the file is reported to the gateway, and whether the report overtakes the answer. */
    report: z.enum(["none", "before_answer"]).optional(),
    /** How many requests the fault applies to. */
    count: z.int().min(1).max(MAX_COUNT).default(1),
  })
  .refine((f) => Object.keys(f).some((key) => key !== "count" && key !== "store"), {
    error: "name at least one of status, delay_ms, hang, drop, retry_after, report",
  })
  .refine((f) => [f.status, f.hang, f.drop].filter((effect) => effect !== undefined).length <= 1, {
    error: "use only one of status, hang and drop",
  });

export type Fault = z.infer<typeof fault>;

export type ParsedFaults = { ok: true; faults: Fault[] } | { ok: false; message: string };

/** Reads the body of PUT /faults: one fault, or a list of faults to go through in order. */
export function parseFaults(body: unknown): ParsedFaults {
  const parsed = z
    .array(fault)
    .max(MAX_FAULTS)
    .safeParse(Array.isArray(body) ? body : [body]);
  if (parsed.success) return { ok: true, faults: parsed.data };
  const problems = parsed.error.issues.map(({ path: [index, ...field], message }) =>
    [Array.isArray(body) ? `[${String(index)}]` : "", field.join("."), message].filter(Boolean).join(" "),
  );
  return { ok: false, message: problems.join("; ") };
}

/** The fault for one request, and the faults that are left for later requests. */
export function takeFault(faults: readonly Fault[]): { fault: Fault | undefined; left: Fault[] } {
  const [first, ...rest] = faults;
  if (first === undefined) return { fault: undefined, left: [] };
  return { fault: first, left: first.count > 1 ? [{ ...first, count: first.count - 1 }, ...rest] : rest };
}

/** Whether a request with this fault is stored as a file. */
export function storesFile(fault: Fault | undefined): boolean {
  if (fault?.store !== undefined) return fault.store;
  if (fault?.hang) return false;
  return fault?.status === undefined || fault.status < 300;
}
