/** What the gateway's log says of settings that cannot be used. Pure. */
const PROBLEM = "failed to read a setting";

/** Each problem once, as the gateway words it: the setting and what is wrong with it. */
export function settingProblems(log: string): string[] {
  const problems = new Set<string>();
  for (const line of log.split("\n")) {
    if (!line.includes(PROBLEM)) continue;
    const { error }: { error?: string } = JSON.parse(line);
    if (error !== undefined) problems.add(error.replace(/^Error: /, ""));
  }
  return [...problems];
}
