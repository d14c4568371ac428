/** The fields of forms that say whose objects and which environment the reader looks at. */
import type { Child } from "hono/jsx";
import { ENVIRONMENTS, OWNER_TYPES } from "../../model.ts";
import { OWNER_FORM, scopeQuery } from "../page-scope.ts";
import { usePage } from "../page-state.ts";

/** Values that a form sends without showing them. */
export function Hidden({ values }: { values: Readonly<Record<string, string | null | undefined>> }) {
  return (
    <>
      {Object.entries(values).map(([name, value]) =>
        value === null || value === undefined ? null : <input type="hidden" name={name} value={value} />,
      )}
    </>
  );
}

/** For a form that leads to another address: keeps the scope, as links do. */
export function ScopeInputs() {
  const { scope } = usePage();
  return <Hidden values={scopeQuery(scope)} />;
}

interface OwnerFieldProps {
  value?: string;
  required?: boolean;
  /** What helps to fill it in. */
  children?: Child;
}

/** An owner, as {@link OWNER_FORM}. */
export function OwnerField({ value, required = false, children }: OwnerFieldProps) {
  return (
    <label class="field">
      <span>Owner</span>
      <input
        type="text"
        name="owner"
        list="owner-types"
        value={value}
        placeholder="payroll_company/acme"
        pattern={OWNER_FORM}
        required={required}
        autocomplete="off"
        spellcheck={false}
      />
      {children}
    </label>
  );
}

/** The types of owners, for the fields above. Once on a page. */
export function OwnerTypes() {
  return (
    <datalist id="owner-types">
      {OWNER_TYPES.map((type) => (
        <option value={`${type}/`} />
      ))}
    </datalist>
  );
}

/** `any`: the word for no choice. */
export function EnvironmentField({ any }: { any: string }) {
  const { scope } = usePage();
  return (
    <label class="field">
      <span>Environment</span>
      <select name="environment">
        <option value="">{any}</option>
        {ENVIRONMENTS.map((environment) => (
          <option value={environment} selected={environment === scope.environment}>
            {environment}
          </option>
        ))}
      </select>
    </label>
  );
}
