/** The fields of an employer's forms. */
import { OWNER_TYPES } from "../../../../model.ts";
import type { EmployerValues } from "./employer-values.ts";

interface FieldsProps {
  values: EmployerValues;
  /** A new employer needs an id. */
  isNew: boolean;
  /** Connections depend on a grant that is withdrawn. */
  isInUse: boolean;
}

export function EmployerFields({ values, isNew, isInUse }: FieldsProps) {
  return (
    <div class="fields">
      {isNew && (
        <p class="field">
          <label for="id">Id</label>
          <input
            id="id"
            name="id"
            value={values.id}
            required
            maxlength={64}
            autocomplete="off"
            spellcheck={false}
          />
          <span class="hint">
            As reports name it: 1 to 64 letters, digits and the signs _ and -. It never changes.
          </span>
        </p>
      )}
      <p class="field">
        <label for="name">Name</label>
        <input id="name" name="name" value={values.name} required maxlength={200} autocomplete="off" />
      </p>
      <p class="field">
        <label for="fein">FEIN</label>
        <input id="fein" name="fein" value={values.fein} placeholder="12-3456789" autocomplete="off" />
        <span class="hint">
          Optional: nine digits. Reports may name the employer by it, so no two employers have the same.
        </span>
      </p>
      <p class="field">
        <label for="owners">Owners that may report for it</label>
        <textarea id="owners" name="owners" rows={4} spellcheck={false} placeholder="payroll_company/acme">
          {values.owners}
        </textarea>
        <span class="hint">
          One a line: the owner's type, a slash, and its id. Types: {OWNER_TYPES.join(", ")}. Who is missing
          here can no longer report for the employer, everywhere within a minute.
        </span>
      </p>
      {isInUse && (
        <label class="choice">
          <input type="checkbox" name="force" value="yes" checked={values.force} />
          <span>
            Withdraw the employer all the same. Every report of the connections that are bound to it is
            refused from then on.
          </span>
        </label>
      )}
    </div>
  );
}
