/**
 * `POST /events`: Audit1's services report events, and the files-creator reports on files. Safe to repeat: an event counts
 * once per owner, and once per file.
 */
import { Hono } from "hono";
import { recordStuckFiles, type StuckFileChange } from "../../forwarding/stuck-files.ts";
import { parseFileId } from "../../gate/file-id.ts";
import type { ProgressReport, Reported, ReportOrder } from "../../gate/protocol.ts";
import { type AppContext, type AppEnv, addLogFields, failureResponse } from "../../http/context.ts";
import { describeFailure, type Failure } from "../../http/failure.ts";
import { logError, stackOf } from "../../log.ts";
import { type Endpoint, tryWakeEndpoints } from "../../messages.ts";
import { gateName } from "../../model.ts";
import { eventTime, fileEventTime } from "../../outbound/event-time.ts";
import { type EventPlace, fanOut, type NewEvent } from "../../outbound/fan-out.ts";
import { publishFileEvents } from "../../outbound/publish-file-events.ts";
import {
  type FileSubscribers,
  findSubscribersOfFile,
  findSubscribersOfGates,
} from "../../outbound/subscribers.ts";
import { err, ok, type Result } from "../../result.ts";
import { notFound } from "../change.ts";
import { mayActFor, ownerOf } from "../owner.ts";
import * as contract from "./event-contract.ts";
import {
  type EventRequest,
  type FILE_REPORTS,
  fileData,
  isFileReport,
  REUSED,
  type RefusedEvent,
  type ReportedEvent,
} from "./event-contract.ts";

const STATUS_AFTER = {
  "file.validated": "processing",
  "file.processed": "completed",
  "file.failed": "failed",
} as const satisfies Record<(typeof FILE_REPORTS)[number], ProgressReport["status"]>;

const TYPE_OF = {
  processing: "file.validated",
  completed: "file.processed",
  failed: "file.failed",
} as const satisfies Record<ProgressReport["status"], (typeof FILE_REPORTS)[number]>;

/** The earlier events of the file are stored within moments, or when their sender repeats them. */
const OUT_OF_ORDER: Failure = { kind: "event_out_of_order" };

const DEFAULT_SOURCE = "audit1";

const NOT_FOUND = notFound("file");

/** An accepted event: the response's body, and the endpoints to wake. */
interface Recorded {
  body: ReportedEvent;
  endpoints: Endpoint[];
}

interface Refused {
  id: string;
  failure: Failure;
  /** The endpoints that the event reached before it was refused. */
  endpoints: Endpoint[];
}

type Attempted = Result<Recorded, Refused>;

const UNCONFIRMED: Failure = { kind: "event_unconfirmed" };

export const events = new Hono<AppEnv>().post("/events", contract.reportEvent, async (c) => {
  const body = c.req.valid("json");
  if (!Array.isArray(body)) {
    const recorded = await record(c, body);
    if (!recorded.ok) return failureResponse(c, recorded.error.failure);
    c.executionCtx.waitUntil(tryWakeEndpoints(c.env, distinct(recorded.value.endpoints)));
    return c.json(recorded.value.body, 202);
  }
  addLogFields(c, { events: body.length });
  const recorded = await recordAll(c, body);
  const endpoints = recorded.flatMap((each) => (each.ok ? each.value : each.error).endpoints);
  c.executionCtx.waitUntil(tryWakeEndpoints(c.env, distinct(endpoints)));
  const results = recorded.map(resultOf);
  const failure = failureOfAll(recorded);
  if (failure !== null) return failureResponse(c, failure, null, { success: false, results });
  return c.json({ success: recorded.every((each) => each.ok), results }, 202);
});

/**
 * Processes the events in order. If the database or a gate fails in between, the events so far are reported as accepted and
 * the rest as unconfirmed. Rejects if no event was accepted.
 */
async function recordAll(c: AppContext, events: readonly EventRequest[]): Promise<Attempted[]> {
  const attempted: Attempted[] = [];
  for (const [index, event] of events.entries()) {
    try {
      attempted.push(await record(c, event));
    } catch (error) {
      if (!attempted.some((each) => each.ok)) throw error;
      const fields = { request_id: c.get("requestId"), event: index, stack: stackOf(error) };
      logError("failed to finish a batch of events", fields, error);
      return [...attempted, ...events.slice(index).map(({ id }) => refused(id, UNCONFIRMED))];
    }
  }
  return attempted;
}

/** The failure of a batch without an accepted event: the first temporary failure, or else the first. Otherwise null. */
function failureOfAll(attempted: readonly Attempted[]): Failure | null {
  const failures = attempted.flatMap((each) => (each.ok ? [] : [each.error.failure]));
  if (failures.length < attempted.length) return null;
  return (
    failures.find((failure) => describeFailure(failure).code === "SERVICE_UNAVAILABLE") ?? failures[0] ?? null
  );
}

/** The result of one event of a batch. */
function resultOf(each: Attempted): ReportedEvent | RefusedEvent {
  if (each.ok) return each.value.body;
  const { id, failure } = each.error;
  const { status, error, code, message } = describeFailure(failure);
  return { success: false, id, status, error, code, message };
}

async function record(c: AppContext, event: EventRequest): Promise<Attempted> {
  const { id, type } = event;
  addLogFields(c, { event_type: type });
  if (isFileReport(type)) return recordReport(c, event, type);
  const owned = ownerOf(c.get("client"), event);
  if (!owned.ok) return refused(id, owned.error);
  const now = Date.now();
  const time = eventTime(event, now);
  // The request's schema has already validated the time.
  const createdAt = time.ok ? time.value : now;
  const { environment } = event;
  return dispatch(c, { ...factsOf(event), createdAt, type, owner: owned.value, environment });
}

/** Applies a report to its file and publishes it to the owner and the employer of the file, as the file names them. */
async function recordReport(
  c: AppContext,
  event: EventRequest,
  type: (typeof FILE_REPORTS)[number],
): Promise<Attempted> {
  const { id } = event;
  const data = fileData.parse(event.data);
  const parsed = parseFileId(data.fileId);
  const subscribers =
    parsed && (await findSubscribersOfGates(c.env.DB, [parsed.gate])).get(gateName(parsed.gate));
  // Only Audit1's own services may report on files: a client that is bound to an owner must not settle the owner's files.
  const client = c.get("client");
  if (!parsed || !subscribers || client.owner !== undefined || !mayActFor(client, subscribers.owner))
    return refused(id, NOT_FOUND);
  const report: ProgressReport = {
    eventId: id,
    status: STATUS_AFTER[type],
    ...(data.recordsTotal !== undefined && { recordsTotal: data.recordsTotal }),
    ...(data.recordsProcessed !== undefined && { recordsProcessed: data.recordsProcessed }),
    ...(data.recordsFailed !== undefined && { recordsFailed: data.recordsFailed }),
  };
  const { fileId } = parsed;
  const gate = c.env.CONNECTION_GATE.getByName(gateName(parsed.gate));
  const reported = await gate.report(
    fileId,
    report,
    subscribers.ownerSubscribed || subscribers.employersSubscribed,
  );
  if (reported.outcome === "unknown") return refused(id, NOT_FOUND);
  addLogFields(c, { outcome: reported.outcome, file_id: fileId });
  if (reported.outcome === "moved") await recordStuckFiles(c.env.DB, stuckFileChanges(fileId, reported));
  const inOrder = await publishFileEvents(reported.owed ?? [], c.env, c.get("settings"));
  const { facts, order } = reported;
  const audience = order && (await findSubscribersOfFile(c.env.DB, subscribers, facts.employerId));
  const published =
    order === null || audience === null || audience.owners.length === 0
      ? NO_AUDIENCE
      : inOrder
        ? await publishReport(c, { ...event, type }, facts, order, audience)
        : refused(id, OUT_OF_ORDER);
  if (!published.ok) return published;
  const duplicate = reported.outcome === "repeat";
  const body = { success: true as const, id, file_id: fileId, status: reported.status, duplicate };
  return ok({ body, endpoints: published.value });
}

const NO_AUDIENCE = ok<Endpoint[]>([]);

/** Publishes a report to each subscriber, after earlier reports. A repeat is published again in case the first attempt was interrupted. */
async function publishReport(
  c: AppContext,
  event: EventRequest & { type: (typeof FILE_REPORTS)[number] },
  { receivedAt }: { receivedAt: number },
  order: ReportOrder,
  { owners, environment }: FileSubscribers,
): Promise<Result<Endpoint[], Refused>> {
  const { type } = event;
  const createdAt = fileEventTime(event, { receivedAt, ownTime: order.at, now: Date.now() });
  const after = order.before.map(({ eventId, status, at }) => ({ id: eventId, type: TYPE_OF[status], at }));
  const place: EventPlace = { after, before: order.after };
  const endpoints: Endpoint[] = [];
  for (const owner of owners) {
    const dispatched = await dispatch(c, { ...factsOf(event), type, createdAt, owner, environment }, place);
    if (!dispatched.ok) return err({ ...dispatched.error, endpoints });
    endpoints.push(...dispatched.value.endpoints);
  }
  return ok(endpoints);
}

async function dispatch(c: AppContext, event: NewEvent, place?: EventPlace): Promise<Attempted> {
  const { id } = event;
  const fannedOut = await fanOut(c.env.DB, c.get("settings").keyRing, event, Date.now(), place);
  if (fannedOut.outcome === "conflict") return refused(id, REUSED);
  if (fannedOut.outcome === "early") return refused(id, OUT_OF_ORDER);
  return ok({
    body: { success: true, id, duplicate: fannedOut.outcome === "duplicate" },
    endpoints: "endpoints" in fannedOut ? fannedOut.endpoints : [],
  });
}

function refused(id: string, failure: Failure): Result<never, Refused> {
  return err({ id, failure, endpoints: [] });
}

function factsOf({ id, metadata, data }: EventRequest) {
  return {
    id,
    source: metadata?.source ?? DEFAULT_SOURCE,
    data: JSON.stringify(data),
  };
}

function distinct(endpoints: readonly Endpoint[]): Endpoint[] {
  return [...new Map(endpoints.map((endpoint) => [endpoint.id, endpoint])).values()];
}

function stuckFileChanges(
  fileId: string,
  { status, wasDeferred, facts }: Extract<Reported, { outcome: "moved" }>,
): StuckFileChange[] {
  if (status === "failed") {
    return [
      {
        kind: "set",
        fileId,
        reason: "reported_failed",
        responseStatus: null,
        attempts: 0,
        nextAttemptAt: null,
        facts,
      },
    ];
  }
  return wasDeferred ? [{ kind: "clear", fileId }] : [];
}
