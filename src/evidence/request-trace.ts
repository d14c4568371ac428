/** What an intake for reports knows of a request that its answer does not say. The intake fills it in; evidence is made of it after the answer. */
import type { GateAddress } from "../model.ts";
import type { Diagnosis } from "./request-entry.ts";

export interface RequestTrace {
  /** The sender's gate. Null while it is not known whether there is such a sender. */
  gate: GateAddress | null;
  /** A file was made of the request, whatever its answer is. */
  isAccepted: boolean;
  isDuplicate: boolean;
  fileId: string | null;
  /** The body's size; null if it was not read. */
  bytes: number | null;
  /** The code of the error that was answered. */
  code: string | null;
  /** Settles after the answer, and never rejects. */
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
