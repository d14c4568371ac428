import { describe, expect, it } from "vitest";
import { queryOf, tabsFor } from "../../../src/console/pages/metrics/metrics-query.ts";

const NOW = Date.UTC(2026, 4, 20, 10, 30);
const iso = (ms: number | null) => (ms === null ? null : new Date(ms).toISOString().slice(0, 16));
const of = (query: string) =>
  queryOf(new URLSearchParams(query), { owner: null, environment: null, accent: null }, NOW);

describe("the time", () => {
  it.each([
    ["", "day", "2026-04-21T00:00", null, 0],
    ["range=24h", "hour", "2026-05-19T11:00", null, 0],
    ["range=7d", "hour", "2026-05-13T11:00", null, 0],
    ["range=7d&granularity=day", "day", "2026-05-14T00:00", null, 0],
    ["range=24h&granularity=day", "day", "2026-05-20T00:00", null, 0],
    ["range=12mo", "day", "2025-05-21T00:00", null, 0],
    ["range=30d&granularity=hour", "hour", "2026-04-20T11:00", null, 0],
    ["range=90d&granularity=hour", "day", "2026-02-20T00:00", null, 1],
    ["range=never", "day", "2026-04-21T00:00", null, 0],
    ["since=2026-05-19T10:10", "hour", "2026-05-19T10:00", null, 0],
    ["since=2026-05-01&until=2026-05-04", "hour", "2026-05-01T00:00", "2026-05-04T00:00", 0],
    ["since=2026-04-01", "day", "2026-04-01T00:00", null, 0],
    ["range=24h&until=2026-05-04T06:00", "hour", "2026-05-03T06:00", "2026-05-04T06:00", 0],
    ["until=2027-01-01", "day", "2026-04-21T00:00", null, 0],
    ["since=2020-01-01", "day", "2025-04-16T00:00", null, 1],
    ["since=2026-05-21", "day", "2026-04-21T00:00", null, 1],
    ["since=2026-05-04&until=2026-05-04", "day", "2026-04-21T00:00", null, 1],
    ["since=yesterday", "day", "2026-04-21T00:00", null, 1],
    ["since=2026-02-31T99:00", "day", "2026-04-21T00:00", null, 1],
  ] as const)(
    "of %j is in steps of a %s from %s to %s, with %d notices",
    (text, step, since, until, notices) => {
      const query = of(text);
      expect({
        step: query.step,
        since: iso(query.since),
        until: iso(query.until),
        notices: query.notices.length,
      }).toEqual({ step, since, until, notices });
    },
  );

  it("never asks for more than the API answers", () => {
    for (const text of [
      "since=2000-01-01",
      "range=12mo&granularity=hour",
      "since=2026-04-19&granularity=hour",
    ]) {
      const { step, since } = of(text);
      expect(NOW - since).toBeLessThanOrEqual((step === "hour" ? 31 : 400) * 86_400_000);
    }
  });
});

describe("the object", () => {
  const id = "65F0C0FFEE0123456789ABCD";
  it.each([
    [id, { kind: "connection", id: id.toLowerCase() }],
    [` ${id} `, { kind: "connection", id: id.toLowerCase() }],
    [`ak_${id.toLowerCase()}`, { kind: "api_key", id: `ak_${id.toLowerCase()}` }],
    [`wh_${id.toLowerCase()}`, { kind: "webhook", id: `wh_${id.toLowerCase()}` }],
  ])("%j is found by its form", (text, subject) => {
    expect(of(`of=${encodeURIComponent(text)}`)).toMatchObject({ subject, notices: [] });
  });

  it.each(["x", "FILE_1", "<img>", `${id}0`])("%j is none, and a notice says so", (text) => {
    const { subject, notices } = of(`of=${encodeURIComponent(text)}`);
    expect(subject).toBeNull();
    expect(notices).toEqual([expect.stringMatching(/^Of one object: /)]);
    expect(notices.join()).not.toContain("<img>");
  });

  it("has the tabs with numbers about it, and opens one of them", () => {
    expect(of(`of=wh_${id.toLowerCase()}&tab=requests`).tab).toBe("deliveries");
    expect(of(`of=${id}&tab=senders`).tab).toBe("goals");
    expect(tabsFor(null)).toHaveLength(5);
    expect(of("tab=nothing").tab).toBe("goals");
  });
});
