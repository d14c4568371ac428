import { DrizzleQueryError } from "drizzle-orm";
import { afterEach, expect, it, vi } from "vitest";
import { logError, stackOf } from "../../src/log.ts";

afterEach(() => void vi.restoreAllMocks());

it.each([
  ["with the database's error", new Error("D1_ERROR: no such table"), "D1_ERROR: no such table"],
  ["without one", undefined, "a query failed"],
])("logs nothing of a failed query's parameters, %s", (_, cause, said) => {
  const lines = vi.spyOn(console, "error").mockImplementation(() => undefined);
  const error = new DrizzleQueryError("update employers set fein = ?", ["123456789"], cause);
  logError("failed to write an employer", { stack: stackOf(error) }, error);
  expect(lines.mock.calls).toEqual([[expect.stringContaining(said)]]);
  expect(JSON.stringify(lines.mock.calls)).not.toMatch(/123456789|params|update employers/);
});
