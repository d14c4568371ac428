/** What a page asked of the API, each as a command that asks the same. */
import type { ApiCall } from "./api.ts";
import { usePage } from "./page-state.ts";
import { Copy, Id } from "./parts/values.tsx";

export function Calls({ calls }: { calls: readonly ApiCall[] }) {
  const { url, requestId } = usePage();
  if (calls.length === 0) return null;
  return (
    <footer class="calls">
      <details>
        <summary>This page as {calls.length === 1 ? "an API call" : `${calls.length} API calls`}</summary>
        <p class="quiet">
          Page request <Id id={requestId} />
        </p>
        <ol>
          {calls.map((call) => (
            <li>
              <p>
                <code>
                  {call.method} {call.path}
                </code>{" "}
                <span class="quiet">
                  {call.status}, {call.ms} ms
                </span>{" "}
                <Copy text={curl(call, url.origin)} what="command" label="Copy as curl" />
              </p>
            </li>
          ))}
        </ol>
      </details>
    </footer>
  );
}

/** Credentials stay variables. A body may hold a secret, so it is read from standard input. */
function curl({ method, path, contentType }: ApiCall, origin: string): string {
  const lines = [
    `curl${method === "GET" ? "" : ` -X ${method}`} '${origin}${path.replaceAll("'", "%27")}'`,
    `-H "X-Client-ID: $AUDIT1_CLIENT_ID"`,
    `-H "X-Client-Secret: $AUDIT1_CLIENT_SECRET"`,
  ];
  if (contentType !== null) lines.push(`-H 'Content-Type: ${contentType}'`, "--data-binary @-");
  return lines.join(" \\\n  ");
}
