import { describe, expect, it } from "vitest";
import { patchOf, typedOf } from "../../../src/console/pages/connections/setting-values.ts";

const patch = (form: Record<string, string>) => patchOf(typedOf(form));

describe("the change that a form asks for", () => {
  it.each<[string, Record<string, string>, Record<string, unknown>]>([
    ["nothing, if nothing was changed", { was_description: "a", description: "a" }, {}],
    ["nothing, for a field that was not posted", { was_plan: "sandbox" }, {}],
    ["nothing, for blanks around a value", { was_description: "a", description: " a " }, {}],
    ["null, for what may be empty", { was_employer_id: "E1", employer_id: "" }, { employer_id: null }],
    ["a number", { was_default_wait_seconds: "0", default_wait_seconds: "30" }, { default_wait_seconds: 30 }],
    [
      "the text, for what is no number",
      { was_retention_years: "7", retention_years: "7,5" },
      { retention_years: "7,5" },
    ],
    [
      "the empty text, for a number that was deleted",
      { was_retention_years: "7", retention_years: "" },
      { retention_years: "" },
    ],
    ["nothing else that was posted", { act: "save", status: "inactive", was_status: "active" }, {}],
  ])("is %s", (_what, form, wanted) => {
    expect(patch(form)).toEqual(wanted);
  });
});
