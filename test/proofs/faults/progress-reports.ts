/** The files-creator's reports to the gateway on its files: sent in order, each until the gateway accepts it. */
import { type Chance, pause } from "./chance.ts";

/** The share of reports that are sent again although they were accepted. */
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
  /** The file id by key, once its `file.processed` was accepted. */
  readonly taken = new Map<string, string>();
  /** Reports that got 404. */
  readonly unknown: string[] = [];
  /** Files with reports that are not accepted yet. */
  pending = 0;
  readonly #chance: Chance;
  readonly #gatewayUrl: () => string | null;
  readonly #portal: Record<string, string>;
  readonly #stopped = new AbortController();

  /** `gatewayUrl` returns null while the gateway is down. */
  constructor(chance: Chance, gatewayUrl: () => string | null, portal: Record<string, string>) {
    this.#chance = chance;
    this.#gatewayUrl = gatewayUrl;
    this.#portal = portal;
  }

  stop(): void {
    this.#stopped.abort();
  }

  /** Resolves when all reports on the file are accepted. */
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
