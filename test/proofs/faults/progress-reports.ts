/** How the files-creator tells the gateway what became of its files: in order, each report until it is taken. */
import { type Chance, pause } from "./chance.ts";

/** Reports that come once more although they were taken. */
const REPEATED_SHARE = 0.1;
const ANSWER_LIMIT_MS = 5_000;

export interface ReportSent {
  type: string;
  data: { fileId: string; recordsTotal: number };
  taken: boolean;
}

export class ProgressReports {
  /** By the event's id. */
  readonly sent = new Map<string, ReportSent>();
  /** The file by the key of which `file.processed` was taken. */
  readonly taken = new Map<string, string>();
  /** Reports that were answered with 404. */
  readonly unknown: string[] = [];
  /** Files about which something is still to be told. */
  pending = 0;
  readonly #chance: Chance;
  readonly #gatewayUrl: () => string | null;
  readonly #portal: Record<string, string>;
  readonly #stopped = new AbortController();

  /** `gatewayUrl` answers null while the gateway is down. */
  constructor(chance: Chance, gatewayUrl: () => string | null, portal: Record<string, string>) {
    this.#chance = chance;
    this.#gatewayUrl = gatewayUrl;
    this.#portal = portal;
  }

  stop(): void {
    this.#stopped.abort();
  }

  /** Resolves when everything about the file was taken. */
  async tellAll(key: string, fileId: string): Promise<void> {
    this.pending++;
    try {
      for (const type of ["file.validated", "file.processed"]) {
        const event = { id: `${key}.${type}`.replaceAll(".", "-"), type, data: { fileId, recordsTotal: 1 } };
        this.sent.set(event.id, { type, data: event.data, taken: false });
        while (!(await this.#tell(event))) {
          if (this.#stopped.signal.aborted) return;
          await pause(this.#chance.between(100, 600));
        }
        if (this.#chance.happens(REPEATED_SHARE)) await this.#tell(event);
      }
      this.taken.set(key, fileId);
    } finally {
      this.pending--;
    }
  }

  async #tell(event: { id: string }): Promise<boolean> {
    const url = this.#gatewayUrl();
    if (url === null) return false;
    try {
      const response = await fetch(`${url}/api/v1/events`, {
        method: "POST",
        headers: { ...this.#portal, "content-type": "application/json" },
        body: JSON.stringify(event),
        signal: AbortSignal.timeout(ANSWER_LIMIT_MS),
      });
      await response.arrayBuffer();
      if (response.status === 404) this.unknown.push(event.id);
      const sent = this.sent.get(event.id);
      if (response.ok && sent !== undefined) sent.taken = true;
      return response.ok;
    } catch {
      return false;
    }
  }
}
