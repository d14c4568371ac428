/** What services told of what happened, and what they heard. The gateway never sees it. */
import type { Environment, Owner } from "./endpoints.ts";

export interface HeardEvent {
  /** Of the event's own answer, in a batch too. Null without an answer. */
  status: number | null;
  /** The `error` of a refusal. */
  error: string | null;
}

/** One event as its service means it: however often it is sent, at most one may come of it. */
export interface EventUnit {
  id: string;
  owner: Owner;
  environment: Environment;
  type: string;
  /** As it was sent, ISO 8601; null where the gateway is to say when. */
  timestamp: string | null;
  data: unknown;
  kind: string;
  /** `conflict`: its id is that of another event, which was taken before. */
  expects: "taken" | "conflict" | "refused";
  heard: HeardEvent[];
  /** When it was first taken, by our clock. */
  takenAt: number | null;
}

export class EventRecord {
  readonly units: EventUnit[] = [];

  open(unit: Omit<EventUnit, "heard" | "takenAt">): EventUnit {
    const opened = { ...unit, heard: [], takenAt: null };
    this.units.push(opened);
    return opened;
  }

  hear(unit: EventUnit, heard: HeardEvent): void {
    unit.heard.push(heard);
    if (heard.status === 202) unit.takenAt ??= Date.now();
  }
}

/** Whether some copy of it ended without an answer that settles the matter. */
export function isUnanswered({ heard }: Pick<EventUnit, "heard">): boolean {
  return heard.some(({ status }) => status === null || status === 503);
}
