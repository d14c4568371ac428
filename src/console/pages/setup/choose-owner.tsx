/** Staff who look at all owners first say whose connection it is. */
import { OWNER_TYPES } from "../../../model.ts";
import { sentence } from "../../parts/badge.tsx";
import { Link } from "../../parts/link.tsx";
import { ScopeInputs } from "../../parts/scope-fields.tsx";
import { StepPage, stepAddress } from "./steps.tsx";

/** `given` was sent with the form and is not the form of an owner. */
export function ChooseOwner({ given }: { given: { type: string; id: string } | null }) {
  return (
    <StepPage step="who">
      <form method="get">
        <input type="hidden" name="step" value="who" />
        <ScopeInputs />
        <div class="fields">
          <p>Whose connection is it?</p>
          <p class="field">
            <label for="owner_type">Owner</label>
            <select id="owner_type" name="owner_type">
              {OWNER_TYPES.map((type) => (
                <option value={type} selected={type === (given?.type ?? "payroll_company")}>
                  {sentence(type)}
                </option>
              ))}
            </select>
          </p>
          <p class="field">
            <label for="owner_id">Owner's id</label>
            <input
              id="owner_id"
              type="text"
              name="owner_id"
              value={given?.id ?? ""}
              required
              maxlength={64}
              autocomplete="off"
              spellcheck={false}
            />
            {given !== null && (
              <span class="problem">Must be 1 to 64 characters of A-Z, a-z, 0-9 and the signs _ . : -</span>
            )}
            <span class="hint">As the portal names it, such as acme.</span>
          </p>
        </div>
        <p class="buttons">
          <button type="submit" class="primary">
            Continue
          </button>
          <Link href={stepAddress("type")}>Back</Link>
        </p>
      </form>
    </StepPage>
  );
}
