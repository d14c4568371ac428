/** The second step: whose connection it is, what for, and at which pace. */
import type { ApiError, ApiResult } from "../../api.ts";
import type { Scope } from "../../page-scope.ts";
import { usePage } from "../../page-state.ts";
import { TextField } from "../../parts/fields.tsx";
import { Link } from "../../parts/link.tsx";
import { Notice } from "../../parts/panels.tsx";
import { Refused } from "../../parts/states.tsx";
import { to } from "../../paths.ts";
import { mayManage } from "../../session.ts";
import { StepPage, stepAddress } from "./steps.tsx";
import { EmployerField, type Employers, EnvironmentField, OwnerFact, PlanField } from "./who-fields.tsx";
import type { WhoValues } from "./who-form.ts";
import { WhyNot } from "./why-not.tsx";

interface WhoStepProps {
  owner: NonNullable<Scope["owner"]>;
  values: WhoValues;
  employers: ApiResult<Employers>;
  /** Why the API created nothing. */
  refused?: ApiError;
  /** The form had created a connection before, with other values. */
  isSecond?: boolean;
}

export function WhoStep({ owner, values, employers, refused, isSecond = false }: WhoStepProps) {
  const { session } = usePage();
  return (
    <StepPage step="who">
      <WhyNot />
      {refused !== undefined && <Refused error={refused} what="The connection was not created." />}
      {isSecond && (
        <Notice meaning="warning">
          <p>
            <strong>This form has already created a connection, with other values.</strong> It is in the{" "}
            <Link href={to.connections()}>list of connections</Link>. To create a second one with these
            values, send the form again.
          </p>
        </Notice>
      )}
      {mayManage(session) && (
        <form method="post" data-busy="Creating…">
          <input type="hidden" name="key" value={values.key} />
          <div class="fields">
            <OwnerFact owner={owner} />
            <EnvironmentField chosen={values.environment} />
            <PlanField chosen={values.plan} />
            <EmployerField
              employers={employers}
              owner={owner}
              chosen={values.employer}
              problem={problemOf(refused, "employer_id")}
            />
            <TextField
              name="description"
              label="Description"
              value={values.description}
              hint="Optional. What you will recognize it by, such as the payroll system and the office."
              problem={problemOf(refused, "description")}
            />
            <TextField
              name="notification_email"
              label="Mails about problems"
              type="email"
              value={values.email}
              hint="Optional. Receives the mails about alerts of this connection. Without an address, they go to Audit1."
              problem={problemOf(refused, "notification_email")}
            />
          </div>
          <p class="buttons">
            <button type="submit" class="primary">
              Create connection
            </button>
            <Link href={stepAddress("type")}>Back</Link>
          </p>
        </form>
      )}
    </StepPage>
  );
}

function problemOf(refused: ApiError | undefined, field: string): string | null {
  const problem = refused?.details?.[field];
  return typeof problem === "string" ? problem : null;
}
