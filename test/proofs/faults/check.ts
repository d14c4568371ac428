/** Judges one thing that must hold: how many cases were looked at, and one line for each that broke it. */
export type Check<Of> = (evidence: Of) => { checked: number; broken: string[] };
