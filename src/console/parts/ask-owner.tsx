/** Asks staff whose objects they want to see, where the API lists those of one owner at a time. */
import { OWNER_TYPES } from "../../model.ts";
import { usePage } from "../page-state.ts";
import { sentence } from "./badge.tsx";

/** `what`: such as `connections`. */
export function AskOwner({ what }: { what: string }) {
  const { url, scope } = usePage();
  return (
    <div class="state">
      <p>Whose {what}? They are listed for one owner at a time.</p>
      <form method="get" action={url.pathname} class="fields">
        {scope.environment !== null && <input type="hidden" name="environment" value={scope.environment} />}
        <p class="field">
          <label for="whose">Owner</label>
          <input
            id="whose"
            name="owner"
            placeholder="payroll_company/acme"
            pattern={`(${OWNER_TYPES.join("|")})/[A-Za-z0-9_.:\\-]{1,64}`}
            required
            autocomplete="off"
            spellcheck={false}
            list="owner-types"
          />
          <span class="hint">
            The owner's type, a slash, and its id. Types:{" "}
            {OWNER_TYPES.map((type) => sentence(type).toLowerCase()).join(", ")}.
          </span>
        </p>
        <button type="submit" class="primary">
          Show {what}
        </button>
      </form>
    </div>
  );
}
