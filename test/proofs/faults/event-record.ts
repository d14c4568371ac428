/** Records the events that services sent and the responses they got. The gateway never sees it. */
import type { Environment, Owner } from "./endpoints.ts";

export interface HeardEvent {
  /** The status of the event itself, also in a batch. Null without a response. */
  status: number | null;
  /** The `error` word of a rejection. */
  error: string | null;
}

/** One intended event. However often it is sent, it may be stored at most once. */
export interface EventUnit {
  id: string;
  owner: Owner;
  environment: Environment;
  type: string;
  /** As it was sent, ISO 8601; null when the gateway sets the time. */
  timestamp: string | null;
  data: unknown;
  kind: string;
  /** `conflict`: another event with the same id was accepted before. */
  expects: "taken" | "conflict" | "refused";
  heard: HeardEvent[];
  /** When it was first accepted, in real time. */
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

/** Whether some copy of it ended without a final response. */
export function isUnanswered({ heard }: Pick<EventUnit, "heard">): boolean {
  return heard.some(({ status }) => status === null || status === 503);
}
