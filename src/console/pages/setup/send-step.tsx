/** The fourth step: a command or a program, filled in with the connection's values, that sends one signed report. */
import type { ShownConnection } from "../../../portal/connections/connection-contract.ts";
import type { ShownEmployer } from "../../../portal/employers/employer-contract.ts";
import type { ApiResult } from "../../api.ts";
import { usePage } from "../../page-state.ts";
import { ButtonLink, Link } from "../../parts/link.tsx";
import { Code, Notice, Panel, Tabs } from "../../parts/panels.tsx";
import { Failed } from "../../parts/states.tsx";
import { exampleReport } from "../../samples/example-report.ts";
import { SAMPLE_LANGUAGES, SAMPLES, type SampleValues } from "../../samples/samples.ts";
import { GenericClient } from "./generic-client.tsx";
import { StepPage, stepAddress } from "./steps.tsx";

interface SendStepProps {
  connection: ShownConnection;
  /** The employer that the example names. Null if none is granted. */
  employer: ApiResult<ShownEmployer | null>;
}

export function SendStep({ connection, employer }: SendStepProps) {
  const { now, url } = usePage();
  const known = employer.ok ? employer.body : null;
  const values: SampleValues = { url: connection.url, body: exampleReport(known, now) };
  const language = SAMPLE_LANGUAGES.find((each) => each === url.searchParams.get("with"));
  const isGeneric = url.searchParams.get("with") === "other";
  const sample = SAMPLES[language ?? "curl"];
  return (
    <StepPage step="send" connection={connection}>
      <Cautions connection={connection} employer={employer} />
      <Panel title="1. The secret">
        <p>
          The samples read the secret from <code>$AUDIT1_SECRET</code>, so that it stands in no program. If
          you have set it in the step before, go on.
        </p>
        <Code
          text="read -rs AUDIT1_SECRET; export AUDIT1_SECRET"
          what="command"
          label="Otherwise run this in the terminal, paste the secret, and press Enter. It is not shown:"
        />
        <p class="quiet">
          In PowerShell: <code>$env:AUDIT1_SECRET = Read-Host</code>. Lost the secret?{" "}
          <Link href={stepAddress("created", connection)}>Make a new one</Link>.
        </p>
      </Panel>
      <Panel title="2. One signed report">
        <Tabs
          label="Languages"
          name="with"
          keep={["step", "connection"]}
          tabs={[
            ...SAMPLE_LANGUAGES.map((each) => ({ value: each, label: SAMPLES[each].label })),
            { value: "other", label: "Another client" },
          ]}
        />
        {isGeneric ? (
          <GenericClient values={values} />
        ) : (
          <>
            <p class="quiet">
              {sample.needs} Save it as <code>{sample.file}</code> and run <code>{sample.run}</code>.
            </p>
            <Code text={sample.text(values)} what={sample.language === "curl" ? "command" : "program"} />
          </>
        )}
        {known !== null && (
          <p class="quiet">The report is made up, for {known.name}: one employee, half a month.</p>
        )}
      </Panel>
      <p class="buttons">
        <ButtonLink href={stepAddress("wait", connection)} class="primary">
          Watch it arrive
        </ButtonLink>
        <span class="quiet">Before or after you send it: nothing is missed.</span>
      </p>
    </StepPage>
  );
}

/** What would make the report be refused, or more than a test. */
function Cautions({ connection, employer }: SendStepProps) {
  const { environment, status, owner_id: owner } = connection;
  return (
    <>
      {environment === "production" && (
        <Notice meaning="warning">
          <p>
            <strong>This connection is in production: what you send is a real report.</strong> To try things
            out,{" "}
            <Link href={stepAddress("who", undefined, { environment: "sandbox" })}>
              set up a sandbox connection
            </Link>
            .
          </p>
        </Notice>
      )}
      {status === "inactive" && (
        <Notice meaning="bad">
          <p>
            <strong>The connection is inactive.</strong> Whatever you send is refused until it is activated.
          </p>
        </Notice>
      )}
      {!employer.ok && <Failed error={employer.error} what="The employer" />}
      {employer.ok && employer.body === null && (
        <Notice meaning="warning">
          <p>
            <strong>No employer is granted to {owner} yet.</strong> The example names one that is made up, so
            it is refused with “Could not resolve employer”. It still proves that address, secret and
            signature are right.
          </p>
        </Notice>
      )}
    </>
  );
}
