/** What senders sent and heard. The gateway never sees it. */

export interface Heard {
  requestId: string;
  /** Null without an answer. */
  status: number | null;
  fileId: string | null;
  /** The `error` of a refusal. */
  error: string | null;
  /** Whether the gateway held the request longer than all its deadlines, and never answered. */
  held?: boolean;
}

/**
 * One report as its sender means it: however often, under however many signatures it is sent, at most one file may come
 * of it.
 */
export interface Unit {
  name: string;
  kind: string;
  /** False for requests that must be refused. */
  valid: boolean;
  /** Of its body. */
  sha256: string;
  heard: Heard[];
}

export class SendingRecord {
  readonly units: Unit[] = [];
  readonly #byRequest = new Map<string, Unit>();
  /** Called after every 202. */
  onAccepted: () => void = () => undefined;

  open(name: string, kind: string, valid: boolean, sha256: string): Unit {
    const unit = { name, kind, valid, sha256, heard: [] };
    this.units.push(unit);
    return unit;
  }

  /** The unit a request belongs to, by the id it was sent with. */
  unitOf(requestId: string): Unit | null {
    return this.#byRequest.get(requestId) ?? null;
  }

  sending(unit: Unit, requestId: string): void {
    this.#byRequest.set(requestId, unit);
  }

  hear(unit: Unit, heard: Heard): void {
    unit.heard.push(heard);
    if (heard.status === 202) this.onAccepted();
  }
}

/** The file ids it was told with an acceptance, or with the news that the file was refused later. */
export function acceptedAs(unit: Unit): Set<string> {
  const answered = unit.heard.filter(({ status }) => status === 202 || status === 200 || status === 502);
  return new Set(answered.flatMap(({ fileId }) => (fileId === null ? [] : [fileId])));
}

/** Whether some copy of it ended without an answer that settles the matter. */
export function isUnanswered(unit: Unit): boolean {
  return unit.heard.some(({ status }) => status === null || status === 503 || status === 500);
}
