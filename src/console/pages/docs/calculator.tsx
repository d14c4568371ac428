/** The calculator of signatures. It works in the reader's browser only: nothing that is typed into it can be posted. */
import type { SignatureScheme } from "../../calculator/signature-schemes.ts";
import { DIAGNOSES, type Explanation } from "../../parts/diagnosis.tsx";
import { Notice, Panel } from "../../parts/panels.tsx";
import { Prose } from "../../parts/prose.tsx";
import { Copy } from "../../parts/values.tsx";
import { WORKED_EXAMPLE } from "../../samples/scheme.ts";
import { OWN_FINDINGS, RECEIVER_ADVICE, SLIPS } from "./findings.ts";

const SCHEME_LABELS: Record<SignatureScheme, string> = {
  inbound: "Report: X-Webhook-Signature",
  timestamped: "Webhook: Audit1-Signature with t= and v1=",
  body_only: "Webhook: Audit1-Signature with sha256=",
  standard: "Webhook: webhook-signature (Standard Webhooks)",
};

export function Calculator() {
  return (
    <Panel title="Calculator" id="calculator">
      <p class="prose">
        Computes a signature in this page, and finds out why yours differs.{" "}
        <strong>The secret stays in your browser:</strong> the fields belong to no form, and what you type is
        neither sent nor stored.
      </p>
      <div data-part="without-scripts">
        <Notice meaning="waiting">
          <p>
            The calculator needs scripts, and a page that came over HTTPS. The openssl commands above compute
            the same signatures on your own machine.
          </p>
        </Notice>
      </div>
      {/* No element here has a name, and none is in a form. */}
      <div class="columns" data-calculator hidden>
        <Inputs />
        <div class="stack">
          <section class="code wraps" aria-label="Signature">
            <p class="code-label" data-part="header" />
            <pre tabindex={0}>
              <output data-part="signature" />
            </pre>
            <Copy text="" what="signature" label="Copy" />
          </section>
          <p class="field">
            <label for="calc-pasted">Compare with the signature that you have</label>
            <textarea id="calc-pasted" rows={2} autocomplete="off" spellcheck={false} data-part="pasted" />
          </p>
          <Findings />
        </div>
      </div>
    </Panel>
  );
}

function Inputs() {
  return (
    <div class="fields">
      <p class="field">
        <label for="calc-scheme">Scheme</label>
        <select id="calc-scheme" autocomplete="off" data-part="scheme">
          {Object.entries(SCHEME_LABELS).map(([scheme, label]) => (
            <option value={scheme}>{label}</option>
          ))}
        </select>
      </p>
      <p class="field">
        <label for="calc-secret">Secret</label>
        <input
          id="calc-secret"
          type="text"
          placeholder="whsec_…"
          autocomplete="off"
          spellcheck={false}
          data-part="secret"
        />
        <span class="hint">The whole text, as it was shown.</span>
      </p>
      <p class="field" data-for="standard" hidden>
        <label for="calc-id">Value of webhook-id</label>
        <input id="calc-id" type="text" autocomplete="off" spellcheck={false} data-part="id" />
      </p>
      <p class="field" data-for="inbound timestamped standard">
        <label for="calc-timestamp">Timestamp</label>
        <span class="with-button">
          <input
            id="calc-timestamp"
            type="text"
            inputmode="numeric"
            value={WORKED_EXAMPLE.timestamp}
            autocomplete="off"
            spellcheck={false}
            data-part="timestamp"
          />
          <button type="button" data-part="now">
            Now
          </button>
        </span>
        <span class="hint" data-for="inbound">
          Unix milliseconds, 13 digits: the text of X-Webhook-Timestamp.
        </span>
        <span class="hint" data-for="timestamped standard" hidden>
          Unix seconds, 10 digits: the value of t= or of webhook-timestamp.
        </span>
      </p>
      <p class="field">
        <label for="calc-body">Body</label>
        <textarea id="calc-body" rows={6} autocomplete="off" spellcheck={false} data-part="body">
          {WORKED_EXAMPLE.body}
        </textarea>
        <span class="hint" data-part="bytes" />
      </p>
      <p class="field">
        <label for="calc-file">Or its exact bytes, from a file</label>
        <input id="calc-file" type="file" data-part="file" />
        <span class="hint">
          Read by this page only. A text field turns every line end into LF; a file does not.
        </span>
      </p>
    </div>
  );
}

/** All that may be found. The script shows what was. */
function Findings() {
  return (
    <div class="stack" role="status">
      {Object.entries(OWN_FINDINGS).map(([finding, explanation]) => (
        <Found finding={finding} explanation={explanation} />
      ))}
      {SLIPS.map((slip) => (
        <Found finding={slip} explanation={DIAGNOSES[slip]} isOfSenders />
      ))}
      <p data-part="receiver" hidden>
        {RECEIVER_ADVICE}
      </p>
    </div>
  );
}

interface FoundProps {
  finding: string;
  explanation: Explanation;
  /** The advice is for those who sign reports. */
  isOfSenders?: boolean;
}

function Found({ finding, explanation: { what, fix }, isOfSenders = false }: FoundProps) {
  return (
    <div data-finding={finding} hidden>
      <Notice meaning={finding === "match" ? "good" : "bad"}>
        <p>
          <strong>
            <Prose text={what} />
          </strong>
        </p>
        <p data-for={isOfSenders ? "inbound" : undefined}>
          <Prose text={fix} />
        </p>
      </Notice>
    </div>
  );
}
