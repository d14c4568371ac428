/** The text that `npm start` ends with: a report to paste into a shell, and where to look. */

import type { Demo } from "./demo.ts";
import { EXAMPLE_REPORT } from "./example-report.ts";
import { shown, workspace } from "./workspace.ts";

const PLACE_WIDTH = 30;

export function guide(demo: Demo, fileId: string | null): string {
  const { base_url, connection_id, secret, api_key, files_creator_url, console_url, owner_console_url } =
    demo;
  const places = [
    [`${files_creator_url}/files`, "what the files-creator received"],
    ["npm run send -- --help", "send your own reports, one or thousands"],
    [shown(workspace.gatewayLog), "the gateway's log, one line of JSON per request"],
    [shown(workspace.filesCreatorLog), "the files-creator's log"],
    [shown(workspace.demo), "ids and secrets of this demonstration"],
    ["npm run reset", "delete all local data (stop the gateway first)"],
  ]
    .map(([place = "", what]) => `  ${place.padEnd(PLACE_WIDTH)}  ${what}`)
    .join("\n");
  return `
The console, signed in (each link works for 30 days):
  as Audit1's staff    ${console_url}
  as the demo's owner  ${owner_console_url}

Send one yourself (paste into bash or zsh):

TIMESTAMP=$(date +%s)000
BODY=${shellQuote(EXAMPLE_REPORT)}
SECRET=${shellQuote(secret)}
SIGNATURE=$(printf '%s.%s' "$TIMESTAMP" "$BODY" | openssl dgst -sha256 -hmac "$SECRET" | sed 's/^.* //')
curl -i -X POST ${base_url}/api/v1/webhook/inbound/${connection_id} \\
  -H "Content-Type: application/json" \\
  -H "X-Webhook-Signature: $SIGNATURE" \\
  -H "X-Webhook-Timestamp: $TIMESTAMP" \\
  --data-binary "$BODY"

Its status:
curl -H "Authorization: Bearer ${api_key}" ${base_url}/api/v1/files/status/${fileId ?? "FILE_ID"}

More:
${places}

The gateway listens on ${base_url}. Ctrl-C stops it; its data is kept.
`;
}

export function shellQuote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
