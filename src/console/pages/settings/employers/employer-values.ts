/** What the forms of an employer ask, and the API's request that they become. Pure. */
import type { ShownEmployer } from "../../../../portal/employers/employer-contract.ts";

export interface EmployerValues {
  id: string;
  name: string;
  fein: string;
  /** An owner a line: `payroll_company/acme`. */
  owners: string;
  /** Withdraws grants that connections depend on. */
  force: boolean;
}

export const NO_EMPLOYER: EmployerValues = { id: "", name: "", fein: "", owners: "", force: false };

export function valuesOfEmployer({ id, name, fein, owners }: ShownEmployer): EmployerValues {
  return { id, name, fein: feinWords(fein), owners: ownerLines(owners).join("\n"), force: false };
}

/** Reads a posted form. */
export function employerValuesOf(form: Record<string, string>): EmployerValues {
  const text = (name: string) => form[name]?.trim() ?? "";
  return {
    id: text("id"),
    name: text("name"),
    fein: text("fein"),
    owners: text("owners"),
    force: form.force === "yes",
  };
}

/** Replaces the whole employer. */
export function employerBodyOf({ name, fein, owners, force }: EmployerValues): object {
  return {
    name,
    fein: fein === "" ? null : fein,
    owners: owners.split(/[\s,;]+/).flatMap((text) => (text === "" ? [] : [ownerIn(text)])),
    ...(force && { force }),
  };
}

/** `payroll_company/acme` as the API names an owner. The API says what is wrong with it. */
export function ownerIn(text: string): { owner_type: string; owner_id: string } {
  const [type = "", ...id] = text.split("/");
  return { owner_type: type, owner_id: id.join("/") };
}

export function ownerLines(owners: ShownEmployer["owners"]): string[] {
  return owners.map(({ owner_type, owner_id }) => `${owner_type}/${owner_id}`);
}

/** `123456789` as `12-3456789`; empty for none. */
export function feinWords(fein: string | null): string {
  return fein === null ? "" : `${fein.slice(0, 2)}-${fein.slice(2)}`;
}
