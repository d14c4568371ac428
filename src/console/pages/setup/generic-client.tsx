/** The fields of a request, for HTTP clients and programs that no sample is for, and an example to check a signature by. */
import { Code, Facts } from "../../parts/panels.tsx";
import type { SampleValues } from "../../samples/samples.ts";
import { WORKED_EXAMPLE } from "../../samples/scheme.ts";

export function GenericClient({ values: { url, body } }: { values: SampleValues }) {
  const { secret, timestamp, body: signed, signature } = WORKED_EXAMPLE;
  return (
    <div class="stack">
      <Code text={url} what="address" label="POST to" wraps />
      <Facts
        facts={[
          ["Content-Type", <code>application/json</code>],
          [
            "X-Webhook-Timestamp",
            <>
              The present time in Unix milliseconds: 13 digits, such as <code>{timestamp}</code>. At most five
              minutes off.
            </>,
          ],
          [
            "X-Webhook-Signature",
            <>
              HMAC-SHA256 in hex, 64 digits without a prefix. Its key is the whole text of the secret. It
              signs the timestamp, a dot and the exact bytes of the body.
            </>,
          ],
          [
            "Idempotency-Key",
            "Optional: a name of the report. Sent again with the same name, it makes no second file.",
          ],
        ]}
      />
      <Code text={body} what="body" label="Body" />
      <details>
        <summary>Check your signature</summary>
        <div class="stack">
          <p>With these values, a client that signs correctly computes this signature.</p>
          <Facts
            facts={[
              ["Secret", <code>{secret}</code>],
              ["Timestamp", <code>{timestamp}</code>],
              ["Body", <code>{signed}</code>],
              ["Signed text", <code>{`${timestamp}.${signed}`}</code>],
              ["Signature", <code>{signature}</code>],
            ]}
          />
        </div>
      </details>
    </div>
  );
}
