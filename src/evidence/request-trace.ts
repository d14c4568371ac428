/** Facts about a request that its response does not show. The intake records them, and evidence is made from them after the response. */
import type { GateAddress } from "../model.ts";
import type { Diagnosis } from "./request-entry.ts";

export interface RequestTrace {
  /** The sender's gate. Null while it is not known whether there is such a sender. */
  gate: GateAddress | null;
  /** The request made a file, whatever its response is. */
  isAccepted: boolean;
  isDuplicate: boolean;
  fileId: string | null;
  /** The body's size; null if it was not read. */
  bytes: number | null;
  /** The code of the error response. */
  code: string | null;
  /** Settles after the response, and never rejects. */
  diagnosis: Promise<Diagnosis[]> | Diagnosis[];
}

export function newTrace(): RequestTrace {
  return {
    gate: null,
    isAccepted: false,
    isDuplicate: false,
    fileId: null,
    bytes: null,
    code: null,
    diagnosis: [],
  };
}
