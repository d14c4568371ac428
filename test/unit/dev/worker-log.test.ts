import { expect, it } from "vitest";
import { settingProblems } from "../../../dev/worker-log.ts";

it("finds each problem with a setting once, among other lines", () => {
  const problem =
    '{"message":"failed to read a setting","error":"Error: OPERATORS_EMAIL: must be an e-mail address"}';
  const log = ['{"message":"request","status":200}', problem, "not json", problem, ""].join("\n");
  expect(settingProblems(log)).toEqual(["OPERATORS_EMAIL: must be an e-mail address"]);
});
