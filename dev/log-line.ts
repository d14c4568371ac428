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
