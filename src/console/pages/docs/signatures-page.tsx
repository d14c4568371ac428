/** How reports and webhooks are signed, a calculator, and the usual mistakes. */
import type { Child } from "hono/jsx";
import { DIAGNOSES } from "../../parts/diagnosis.tsx";
import { Link } from "../../parts/link.tsx";
import { Code, Facts, Panel } from "../../parts/panels.tsx";
import { Prose } from "../../parts/prose.tsx";
import { to } from "../../paths.ts";
import { OPENSSL } from "../../samples/openssl.ts";
import { WORKED_EXAMPLE } from "../../samples/scheme.ts";
import { Calculator } from "./calculator.tsx";
import { SLIPS } from "./findings.ts";

export function SignaturesPage() {
  return (
    <>
      <Inbound />
      <Outbound />
      <Calculator />
      <UsualMistakes />
    </>
  );
}

function Inbound() {
  const { secret, timestamp, body, signature } = WORKED_EXAMPLE;
  return (
    <Panel title="Reports that you send" id="inbound">
      <p class="prose">
        HMAC-SHA256 over the timestamp, a dot and the exact bytes of the body. The key is the whole text of
        the connection's secret, with <code>whsec_</code>.
      </p>
      <Facts
        facts={[
          [
            "X-Webhook-Timestamp",
            "Unix milliseconds, 13 digits, at most five minutes from the server's time",
          ],
          ["X-Webhook-Signature", "64 hex digits, in either case, without a prefix"],
        ]}
      />
      <Code text={OPENSSL.inbound} what="command" label="With openssl" />
      <div class="stack">
        <p>With these values, a client that signs correctly computes this signature:</p>
        <Facts
          facts={[
            ["Secret", <code>{secret}</code>],
            ["Timestamp", <code>{timestamp}</code>],
            ["Body", <code>{body}</code>],
            ["Signature", <code>{signature}</code>],
          ]}
        />
      </div>
    </Panel>
  );
}

function Outbound() {
  return (
    <Panel title="Webhooks that you receive" id="outbound">
      <p class="prose">
        Every delivery carries all of these headers: verify one. Verify the bytes as they came, and refuse a
        timestamp that is more than five minutes old. While a secret is being replaced,{" "}
        <code>Audit1-Signature</code> holds one <code>v1</code> for each secret, and{" "}
        <code>webhook-signature</code> one signature: accept any that fits.{" "}
        <Link href={to.docs({ page: "start" })}>Quick start</Link> has receivers in Node and Python.
      </p>
      <div class="columns">
        <Scheme
          title="Audit1-Signature"
          value="t=<Unix seconds>,v1=<64 hex digits>"
          command={OPENSSL.timestamped}
        >
          Signs the value of <code>t</code>, a dot and the body. The key is the whole text of the webhook's
          secret.
        </Scheme>
        <Scheme title="Audit1-Signature" value="sha256=<64 hex digits>" command={OPENSSL.body_only}>
          Sent instead if the webhook's <code>signature_format</code> is <code>sha256</code>. Signs the body
          alone, so it does not show when it was made.
        </Scheme>
        <Scheme
          title="X-Webhook-Signature, X-Webhook-Timestamp"
          value="<64 hex digits>, <Unix milliseconds>"
          command={OPENSSL.inbound}
        >
          The scheme of reports: one verifier fits both directions. While a new secret is not in the lead yet,{" "}
          <code>X-Webhook-Signature-Next</code> has its signature.
        </Scheme>
        <Scheme
          title="webhook-id, webhook-timestamp, webhook-signature"
          value="v1,<base64>"
          command={OPENSSL.standard}
        >
          Standard Webhooks: signs the id, a dot, the timestamp in seconds, a dot and the body. The key is the
          bytes that the text after <code>whsec_</code> encodes in base64. The libraries{" "}
          <code>standardwebhooks</code> and <code>svix</code> verify it.
        </Scheme>
      </div>
    </Panel>
  );
}

interface SchemeProps {
  title: string;
  value: string;
  command: string;
  children: Child;
}

function Scheme({ title, value, command, children }: SchemeProps) {
  return (
    <section class="stack">
      <h3>{title}</h3>
      <p>
        <code>{value}</code>
      </p>
      <p>{children}</p>
      <Code text={command} what="command" label="With openssl" wraps />
    </section>
  );
}

function UsualMistakes() {
  return (
    <Panel title="Usual mistakes" id="mistakes">
      <p class="prose">
        After a signature was refused, the gateway looks for the mistake that explains it. The page of the
        request shows what it found, and what to change.
      </p>
      <ul class="registry">
        {SLIPS.map((slip) => (
          <li>
            <div>
              <Prose text={DIAGNOSES[slip].what} />
            </div>
            <div class="quiet">
              <Prose text={DIAGNOSES[slip].fix} />
            </div>
          </li>
        ))}
      </ul>
    </Panel>
  );
}
