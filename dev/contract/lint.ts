/**
 * `npm run check -- openapi`: checks the contract document by the recommended rules of a public linter. Errors and warnings
 * both fail the check, except those that are excused here with a reason.
 */
import { document } from "./document.ts";
import { ensureInstalled } from "./install.ts";

ensureInstalled();
const { createConfig, lintFromString } = await import("@redocly/openapi-core");

/** Maps rule and place to the reason. */
const EXCUSED: ReadonlyMap<string, string> = new Map([
  [
    "no-ambiguous-paths #/paths/~1api~1v1~1files~1{file_id}~1replay",
    "a file's id begins with FILE_, so it cannot be status",
  ],
  [
    "operation-2xx-response #/paths/~1api~1v1~1webhook~1inbound/post/responses",
    "the operation exists only to report that the connection id is missing",
  ],
]);

const source = JSON.stringify(document);
const problems = await lintFromString({
  source,
  absoluteRef: "openapi.json",
  config: await createConfig({ extends: ["recommended"] }),
});

const excused = new Set<string>();
let failed = 0;
for (const { ruleId, severity, message, location } of problems) {
  const place = `${ruleId} ${location.map(({ pointer }) => pointer ?? "#").join(" ")}`;
  if (EXCUSED.has(place)) excused.add(place);
  else {
    failed++;
    console.error(`${severity}: ${place}\n  ${message}`);
  }
}
for (const place of EXCUSED.keys()) {
  if (excused.has(place)) continue;
  failed++;
  console.error(`remove the excuse of a problem that no longer exists: ${place}`);
}
console.log(`The contract document: ${source.length} bytes, ${failed} problems, ${excused.size} excused.`);
process.exitCode = failed === 0 ? 0 : 1;
