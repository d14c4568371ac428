/** Records the reports that senders sent and the responses they got. The gateway never sees it. */

export interface Heard {
  requestId: string;
  /** Null without a response. */
  status: number | null;
  fileId: string | null;
  /** The `error` word of a rejection, and its code. */
  error: string | null;
  code: string | null;
  /** Whether the response called it a repeat. */
  duplicate: boolean;
  /** When the response came, in real time. */
  at: number;
  /** Whether the gateway did not respond within all its deadlines. */
  held?: boolean;
}

/**
 * One intended report. However often and with however many signatures it is sent, it may become at most one file.
 */
export interface Unit {
  name: string;
  kind: string;
  /** False for requests that must be rejected. */
  valid: boolean;
  /** Of its body. */
  sha256: string;
  /** The connection that it was sent to, if there is one. */
  connectionId: string;
  heard: Heard[];
}

export class SendingRecord {
  readonly units: Unit[] = [];
  readonly #byRequest = new Map<string, Unit>();
  /** Called after every 202. */
  onAccepted: () => void = () => undefined;

  open(name: string, kind: string, valid: boolean, sha256: string, connectionId: string): Unit {
    const unit = { name, kind, valid, sha256, connectionId, heard: [] };
    this.units.push(unit);
    return unit;
  }

  /** The unit of a request, by its request id. */
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

/** The file ids in its responses: of an acceptance, or of a later refusal by the files-creator. */
export function acceptedAs(unit: Unit): Set<string> {
  const answered = unit.heard.filter(({ status }) => status === 202 || status === 200 || status === 502);
  return new Set(answered.flatMap(({ fileId }) => (fileId === null ? [] : [fileId])));
}

/** Whether some copy of it ended without a final response. */
export function isUnanswered(unit: Unit): boolean {
  return unit.heard.some(({ status }) => status === null || status === 503 || status === 500);
}
