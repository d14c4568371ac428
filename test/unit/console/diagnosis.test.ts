import { describe, expect, it } from "vitest";
import { explanationsOf, reasonOf, DIAGNOSES as TEXTS } from "../../../src/console/parts/diagnosis.tsx";
import { DIAGNOSES } from "../../../src/evidence/request-entry.ts";
import { ERRORS } from "../../../src/http/errors.ts";
import { receiveReport, receiveWithoutConnection } from "../../../src/inbound/inbound-contract.ts";

const refused: Parameters<typeof explanationsOf>[0] = {
  outcome: "refused",
  code: "INVALID_SIGNATURE",
  diagnosis: [],
  clock_skew_ms: null,
} as const;

describe("every diagnosis", () => {
  it.each(DIAGNOSES)("%s has a plain sentence and a fix", (diagnosis) => {
    const { what, fix } = TEXTS[diagnosis];
    for (const text of [what, fix]) {
      expect(text).toMatch(/^[A-Z].*[.}`]$/s);
      expect(text.split("`").length % 2, "backticks come in pairs").toBe(1);
    }
  });

  it("has words of its own", () => {
    const texts = Object.values(TEXTS).flatMap(({ what, fix }) => [what, fix]);
    expect(new Set(texts).size).toBe(texts.length);
  });
});

it.each([...(receiveReport("").failures ?? []), ...(receiveWithoutConnection("").failures ?? [])])(
  "a refusal for $kind is explained by the registry of errors",
  ({ kind }) => {
    const { code, cause, fix } = ERRORS[kind];
    const [explanation, ...more] = explanationsOf({ ...refused, code, diagnosis: [] });
    expect(more).toEqual([]);
    if (code === "INVALID_SIGNATURE") expect(explanation?.fix).toContain("Send the request once more");
    else if (code === "SERVICE_UNAVAILABLE") expect(explanation?.fix).toContain("Repeat the same request");
    else expect(explanation).toEqual({ what: cause, fix });
  },
);

it("several mistakes are explained each by itself", () => {
  const request: typeof refused = { ...refused, diagnosis: ["body_without_timestamp", "base64"] };
  expect(explanationsOf(request)).toEqual([TEXTS.body_without_timestamp, TEXTS.base64]);
  expect(reasonOf(request)).toBe(`${TEXTS.body_without_timestamp.what} ${TEXTS.base64.what}`);
});

it.each([
  { diagnosis: "clock_ahead", skew: 420_000, what: "The sender's clock is 7 min ahead." },
  { diagnosis: "clock_behind", skew: -7_500_000, what: "The sender's clock is 2 h behind" },
  { diagnosis: "clock_ahead", skew: 1e15, what: "The timestamp seems to be in microseconds." },
] as const)("a clock that is off by $skew ms is told by how much", ({ diagnosis, skew, what }) => {
  expect(reasonOf({ ...refused, diagnosis: [diagnosis], clock_skew_ms: skew })).toContain(what);
});

it("a code that is not known is named, and an accepted request has no reasons", () => {
  expect(reasonOf({ ...refused, code: "SOMETHING_NEW" })).toContain("`SOMETHING_NEW`");
  expect(explanationsOf({ ...refused, outcome: "accepted", code: null })).toEqual([]);
  expect(explanationsOf({ ...refused, outcome: "duplicate", code: "DUPLICATE" })).toEqual([]);
});
