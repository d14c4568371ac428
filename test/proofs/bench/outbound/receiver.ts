/** Runs the receiver of deliveries on loopback. */
import path from "node:path";
import { ServerProcess } from "../server-process.ts";

export interface Receipt {
  path: string;
  eventId: string;
  /** Wall clock, ms since the epoch. */
  at: number;
}

export type Receiver = ServerProcess<Receipt>;

export function startReceiver(): Promise<Receiver> {
  return ServerProcess.start<Receipt>(path.join(import.meta.dirname, "receiver-process.ts"));
}
