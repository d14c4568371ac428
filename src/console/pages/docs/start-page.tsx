/** The quick start: one signed report, what comes back, and a receiver of webhooks, each in several languages. */
import type { ShownConnection } from "../../../portal/connections/connection-contract.ts";
import type { ApiResult } from "../../api.ts";
import { usePage } from "../../page-state.ts";
import { Link } from "../../parts/link.tsx";
import { Code, Notice, Panel, Tabs } from "../../parts/panels.tsx";
import { Failed } from "../../parts/states.tsx";
import { Id } from "../../parts/values.tsx";
import { to } from "../../paths.ts";
import { exampleReport } from "../../samples/example-report.ts";
import { RECEIVERS } from "../../samples/receivers.ts";
import { SAMPLE_LANGUAGES, SAMPLES } from "../../samples/samples.ts";
import { Reference } from "./reference-link.tsx";

/** The newest connection of the owner, if it has any; null if no owner is chosen. */
export type NewestConnection = ApiResult<ShownConnection | null> | null;

export function StartPage({ newest }: { newest: NewestConnection }) {
  return (
    <>
      {newest?.ok === false && <Failed error={newest.error} what="Your newest connection" />}
      <Send connection={newest?.ok ? newest.body : null} />
      <Answer />
      <Receive />
      <WithKey />
    </>
  );
}

function Send({ connection }: { connection: ShownConnection | null }) {
  const { now, url } = usePage();
  const wanted = url.searchParams.get("with");
  const sample = SAMPLES[SAMPLE_LANGUAGES.find((each) => each === wanted) ?? "curl"];
  const address = connection?.url ?? `${url.origin}/api/v1/webhook/inbound/{connection_id}`;
  const text = sample.text({ url: address, body: exampleReport(null, now) });
  return (
    <Panel title="Send a signed report">
      {connection === null ? (
        <p class="prose">
          Every connection has an address and a secret of its own.{" "}
          <Link href={to.newConnection()}>Set up connection</Link> makes both, fills in these samples, and
          shows each try within three seconds.
        </p>
      ) : (
        <p class="prose">
          The address is that of your newest connection in {connection.environment}, <Id id={connection.id} />
          . <Link href={to.newConnection({ step: "send", connection: connection.id })}>The wizard</Link> also
          names an employer of yours, and shows each try within three seconds.
        </p>
      )}
      {connection?.environment === "production" && (
        <Notice meaning="warning">
          <p>
            <strong>This connection is in production: what you send is a real report.</strong>
          </p>
        </Notice>
      )}
      <Code
        text="read -rs AUDIT1_SECRET; export AUDIT1_SECRET"
        what="command"
        label="Run this, paste the connection's secret, and press Enter. The samples read it from there:"
      />
      <Tabs
        label="Languages"
        name="with"
        keep={["page"]}
        tabs={SAMPLE_LANGUAGES.map((each) => ({ value: each, label: SAMPLES[each].label }))}
      />
      <p class="quiet">
        {sample.needs} Save it as <code>{sample.file}</code> and run <code>{sample.run}</code>.
      </p>
      <Code text={text} what={sample.language === "curl" ? "command" : "program"} />
    </Panel>
  );
}

const ACCEPTED = `{
  "success": true, "file_id": "FILE_0G5ENQ5XTXRQHSP20TWZ01M80JEKT9D1HA6KX8WZ", "status": "queued",
  "connection_id": "40aeadcbdd77178e6c206b9f", "employer_id": "demo-employer",
  "received_at": "2026-11-22T02:48:03.143Z", "duplicate": false, "warnings": {}
}`;

function Answer() {
  return (
    <Panel title="What comes back">
      <Code
        text={ACCEPTED}
        what="answer"
        label="202: the report is on durable storage and will be processed"
      />
      <ul class="bullets">
        <li>
          <strong>No answer, 429 or 503:</strong> send the same request again. At most one file comes of it.
        </li>
        <li>
          <strong>
            <code>warnings</code>:
          </strong>{" "}
          fields that look wrong. They refuse nothing.
        </li>
        <li>
          <strong>Anything else:</strong> <code>message</code> says what to change.{" "}
          <Link href={to.docs({ page: "errors" })}>All errors</Link>,{" "}
          <Link href={to.docs({ page: "signatures" })}>how to sign</Link>.
        </li>
      </ul>
    </Panel>
  );
}

function Receive() {
  return (
    <Panel title="Receive webhooks">
      <p class="prose">
        A webhook tells your server what became of a report.{" "}
        <Link href={to.newWebhook()}>Register an address</Link>, note the secret, and answer with 2xx within
        ten seconds. These servers verify what comes and drop what they already have.
      </p>
      {RECEIVERS.map(({ language, run, file, text }) => (
        <details>
          <summary>
            A server in {language}, <code>{file}</code>
          </summary>
          <div class="stack">
            <p class="quiet">
              Run it with <code>WEBHOOK_SECRET=whsec_… {run}</code>. It listens on port 3000.
            </p>
            <Code text={text} what="program" />
          </div>
        </details>
      ))}
    </Panel>
  );
}

function WithKey() {
  const { now, url } = usePage();
  return (
    <Panel title="With an API key instead">
      <p class="prose">
        Programs that would rather not sign send the same reports with a bearer key. Every field is checked,
        and all problems are answered at once. <Link href={to.settings({ tab: "keys" })}>API keys</Link> are
        in the settings; every endpoint is in the <Reference>API reference</Reference>.
      </p>
      <Code
        text={`curl -sS -X POST '${url.origin}/api/v1/payroll/reports' \\
  -H "Authorization: Bearer $AUDIT1_API_KEY" \\
  -H 'Content-Type: application/json' \\
  -H 'Idempotency-Key: report-1' \\
  -d '${exampleReport(null, now)}'`}
        what="command"
      />
    </Panel>
  );
}
