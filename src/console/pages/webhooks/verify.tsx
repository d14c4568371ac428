/** How a receiver verifies what the webhook sends. */
import type { ShownWebhook } from "../../../portal/webhooks/webhook-contract.ts";
import { Link } from "../../parts/link.tsx";
import { Code, Panel } from "../../parts/panels.tsx";
import { to } from "../../paths.ts";
import { VERIFY_BODY_ONLY, VERIFY_SAMPLES } from "../../samples/verify.ts";

export function Verify({ webhook }: { webhook: ShownWebhook }) {
  const samples = webhook.signature_format === "sha256" ? VERIFY_BODY_ONLY : VERIFY_SAMPLES;
  return (
    <Panel title="How to verify a delivery">
      <p>
        Compute an HMAC-SHA256 with the whole secret as key, over{" "}
        {webhook.signature_format === "sha256" ? (
          <>the body, and compare it with what stands after</>
        ) : (
          <>
            the time in <code>t</code>, a dot and the body, and compare it with each <code>v1</code> in
          </>
        )}{" "}
        <code>Audit1-Signature{webhook.signature_format === "sha256" ? ": sha256=" : ": t=…,v1=…"}</code>.
        Take the body's bytes as they came, before anything parses them.
      </p>
      {samples.map(({ label, text }) => (
        <details open={label === samples[0]?.label}>
          <summary>{label}</summary>
          <Code text={text} what="code" />
        </details>
      ))}
      <details>
        <summary>With a library of Standard Webhooks</summary>
        <Code
          text={`import { Webhook } from "standardwebhooks";

// Throws if the delivery is not genuine. The same works with the package "svix".
const event = new Webhook(process.env.WEBHOOK_SECRET).verify(body, request.headers);`}
          what="code"
        />
      </details>
      <p class="quiet small">
        Answer 2xx within ten seconds and work afterwards; drop repeats by <code>id</code>.{" "}
        <Link href={to.docs()}>More in the documentation</Link>
      </p>
    </Panel>
  );
}
