/** The log of a Worker: how a line is written, and which lines report a setting that cannot be used. Pure. */

/** An entry of a Worker's log; the time is in Unix milliseconds. */
export interface LogEntry {
  timestamp: number;
  level: string;
  message: string;
}

/** One JSON object per line, with its time: the object that a Worker logged, or its text as `message`. */
export function logLine({ timestamp, level, message }: LogEntry): string {
  const fields = jsonObject(message) ?? { level, message };
  return `${JSON.stringify({ timestamp: new Date(timestamp).toISOString(), ...fields })}\n`;
}

function jsonObject(text: string): object | null {
  if (!text.startsWith("{") || text.includes("\n")) return null;
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

const PROBLEM = "failed to read a setting";

/** The problems with settings that a log holds, each once, in the gateway's words. */
export function settingProblems(log: string): string[] {
  const problems = new Set<string>();
  for (const line of log.split("\n")) {
    if (!line.includes(PROBLEM)) continue;
    const { error }: { error?: string } = JSON.parse(line);
    if (error !== undefined) problems.add(error.replace(/^Error: /, ""));
  }
  return [...problems];
}
