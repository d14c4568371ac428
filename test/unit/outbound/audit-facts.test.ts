import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { auditFactsOf, NO_AUDIT_FACTS, premiumMovedCents } from "../../../src/outbound/audit-facts.ts";

/** The example of the webhook tutorial. */
const COMPLETED = {
  auditId: "audit_2024_123",
  policyId: "pol_xyz789",
  employerId: "emp_acme123",
  policyPeriod: { start: "2024-01-01", end: "2024-12-31" },
  results: {
    estimatedPremium: 50000.0,
    actualPremium: 54500.0,
    adjustment: 4500.0,
    adjustmentType: "additional_premium",
  },
};
const factsOf = (data: unknown) => auditFactsOf("audit.completed", JSON.stringify(data));
const movedBy = (data: unknown) => premiumMovedCents("audit.adjusted", JSON.stringify(data));

describe("the facts of a completed audit", () => {
  const facts = { employerId: "emp_acme123", periodStart: "2024-01-01", periodEnd: "2024-12-31" };

  it.each([
    ["as the tutorial has it", COMPLETED],
    ["in an object of its own", { audit: COMPLETED }],
    [
      "in the guide's spelling",
      { employer_id: "emp_acme123", policy_period: { start_date: "2024-01-01", end_date: "2024-12-31" } },
    ],
    [
      "as moments",
      {
        employerId: "emp_acme123",
        policyPeriod: { start: "2024-01-01T00:00:00.000Z", end: "2024-12-31T23:59:59+00:00" },
      },
    ],
  ])("are read %s", (_how, data) => {
    expect(factsOf(data)).toEqual(facts);
  });

  it.each([
    ["an employer's id with a blank", { ...COMPLETED, employerId: "emp acme" }, { employerId: null }],
    ["an employer's id of 65 characters", { ...COMPLETED, employerId: "e".repeat(65) }, { employerId: null }],
    ["a number for the employer's id", { ...COMPLETED, employerId: 12 }, { employerId: null }],
    [
      "no end",
      { ...COMPLETED, policyPeriod: { start: "2024-01-01" } },
      { periodStart: null, periodEnd: null },
    ],
    [
      "a period that ends before it starts",
      { ...COMPLETED, policyPeriod: { start: "2024-12-31", end: "2024-01-01" } },
      { periodStart: null, periodEnd: null },
    ],
    [
      "a period of four years",
      { ...COMPLETED, policyPeriod: { start: "2020-01-01", end: "2024-01-01" } },
      { periodStart: null, periodEnd: null },
    ],
    [
      "a day that does not exist",
      { ...COMPLETED, policyPeriod: { start: "2024-02-30", end: "2024-12-31" } },
      { periodStart: null, periodEnd: null },
    ],
    ["a list for the period", { ...COMPLETED, policyPeriod: [] }, { periodStart: null, periodEnd: null }],
  ])("leave out what makes no sense: %s", (_what, data, left) => {
    expect(factsOf(data)).toEqual({ ...facts, ...left });
  });

  it("are those of completed audits only", () => {
    expect(auditFactsOf("audit.adjusted", JSON.stringify(COMPLETED))).toEqual(NO_AUDIT_FACTS);
  });

  it("are read from any JSON without an error, and bounded", () => {
    fc.assert(
      fc.property(fc.json(), fc.json(), (one, other) => {
        const data = `{"employerId":${one},"policyPeriod":{"start":${one},"end":${other}},"results":${other}}`;
        const { employerId, periodStart, periodEnd } = auditFactsOf("audit.completed", data);
        expect((employerId ?? "").length).toBeLessThanOrEqual(64);
        expect(periodStart === null).toBe(periodEnd === null);
        expect(premiumMovedCents("audit.adjusted", data) ?? 0).toBeLessThanOrEqual(200_000_000_000);
      }),
    );
  });
});

describe("the premium that an adjusted audit moved", () => {
  it.each([
    ["the difference of the premiums", COMPLETED, 450_000],
    ["a premium that fell", { results: { estimatedPremium: 100.1, actualPremium: 99.85 } }, -25],
    ["the adjustment where the premiums are missing", { results: { adjustment: -12.345 } }, -1_234],
    ["the adjustment without results around it", { adjustment: 10 }, 1_000],
    ["whole cents of a fraction that has no exact form", { results: { adjustment: 0.1 + 0.2 } }, 30],
  ])("is %s", (_what, data, cents) => {
    expect(movedBy(data)).toBe(cents);
  });

  it.each([
    ["text", { results: { adjustment: "4500" } }],
    ["more than a billion dollars", { results: { adjustment: 1e12 } }],
    ["nothing", {}],
    ["a list", []],
  ])("is unknown from %s", (_what, data) => {
    expect(movedBy(data)).toBeNull();
  });

  it("is that of adjusted audits only", () => {
    expect(premiumMovedCents("audit.completed", JSON.stringify(COMPLETED))).toBeNull();
  });
});
