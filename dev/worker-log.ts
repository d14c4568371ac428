/** The log of a Worker: how a line is written, and which lines report a setting that cannot be used. Pure. */

/** An entry of a Worker's log; the time is in Unix milliseconds. */
export interface LogEntry {
  timestamp: number;
  level: string;
  message: string;
}

/** One JSON object per line: what a Worker logged as JSON stays as it was, anything else is wrapped. */
export function logLine(entry: LogEntry): string {
  if (isJsonObject(entry.message)) return `${entry.message}\n`;
  const { timestamp, level, message } = entry;
  return `${JSON.stringify({ timestamp: new Date(timestamp).toISOString(), level, message })}\n`;
}

function isJsonObject(text: string): boolean {
  if (!text.startsWith("{") || text.includes("\n")) return false;
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
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
