/** The first step: how reports will come. */
import { ButtonLink } from "../../parts/link.tsx";
import { to } from "../../paths.ts";
import { StepPage, stepAddress } from "./steps.tsx";
import { WhyNot } from "./why-not.tsx";

export function TypeStep() {
  return (
    <StepPage step="type">
      <WhyNot />
      <div class="choices">
        <section class="tile">
          <h2>Webhook</h2>
          <p>
            The payroll system posts each report to an address of its own and signs it with a secret. The
            secret never travels, and every report is bound to its time.
          </p>
          <p class="quiet">For payroll systems and scheduled jobs. Problems with fields are warnings.</p>
          <p class="buttons">
            <ButtonLink href={stepAddress("who")} class="primary">
              Set up a webhook
            </ButtonLink>
          </p>
        </section>
        <section class="tile">
          <h2>API key</h2>
          <p>
            Code calls the developer API with a bearer key: payroll reports, hires, terminations and changes
            of employees, and the status of files.
          </p>
          <p class="quiet">For integrations that also read. Problems with fields refuse the report.</p>
          <p class="buttons">
            <ButtonLink href={to.settings({ tab: "keys" })}>Go to API keys</ButtonLink>
          </p>
        </section>
      </div>
    </StepPage>
  );
}
