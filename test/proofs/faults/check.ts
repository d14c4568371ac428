/** Checks one invariant. Returns how many cases it checked, and one line per violation. */
export type Check<Of> = (evidence: Of) => { checked: number; broken: string[] };
