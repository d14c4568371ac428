import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { newObjectId } from "../../../src/crypto/ids.ts";
import type { Counts } from "../../../src/usage/counts.ts";
import { countLatency } from "../../../src/usage/histogram.ts";
import { DAY_MS, HOUR_MS } from "../../../src/usage/periods.ts";
import { Browser, person, staff } from "../../support/console.ts";
import { bindings, createBoundConnection, createConnection } from "../../support/gateway.ts";
import { without } from "../../support/interception.ts";
import { catchEndpointWakeUps, newEvent, storeWebhook, tell } from "../../support/outbound.ts";
import { computeUsage, countGate, countWebhook, deleteUsage } from "../../support/usage.ts";

const DAY = Date.UTC(2026, 4, 20);
const NOW = DAY + 10.5 * HOUR_MS;
const TEN = DAY + 10 * HOUR_MS;
const ACME = { type: "payroll_company", id: "acme" } as const;

beforeEach(async () => {
  catchEndpointWakeUps();
  vi.useFakeTimers({ toFake: ["Date"] });
  vi.setSystemTime(NOW);
  await deleteUsage();
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

const read = (html: string) =>
  html
    .replace(/<svg[\s\S]*?<\/svg>|<details>[\s\S]*?<\/details>/g, "")
    .replace(/<[^>]*>/g, " ")
    .replace(/\s+/g, " ");

/** The values of a chart's lines, by their labels. */
function linesOf(html: string, title: string): Record<string, string> {
  const [, table = ""] =
    new RegExp(`<caption class="unseen">${title}</caption><thead>(.*?)</thead>`).exec(html) ?? [];
  return Object.fromEntries(
    [...table.matchAll(/data-values="([^"]*)">([^<]*)</g)].map(([, values = "", label = ""]) => [
      label,
      values,
    ]),
  );
}

const newConnection = async (owner = ACME as { type: string; id: string }) => {
  const { id } = await createBoundConnection({ owner_type: owner.type, owner_id: owner.id });
  return { kind: "connection" as const, id };
};

async function count(gate: { kind: "connection"; id: string }, hoursAgo: number, counts: Counts) {
  await countGate(gate, TEN - hoursAgo * HOUR_MS, counts);
}

function timed(name: Parameters<typeof countLatency>[1], ...list: number[]): Counts {
  const counts: Counts = {};
  for (const ms of list) countLatency(counts, name, ms);
  return counts;
}

describe("the reports", () => {
  it("are charted by outcome, with what was refused by code, gaps where nothing is counted yet", async () => {
    const gate = await newConnection();
    await count(gate, 0, { accepted: 5, completed: 3, failed: 1, bytes: 2_000 });
    await count(gate, 2, { accepted: 4, completed: 4, duplicate: 2, "refused:INVALID_SIGNATURE": 6 });
    await count(gate, 2, { accepted: 4, completed: 4, duplicate: 2, "refused:INVALID_SIGNATURE": 6 });
    await count(await newConnection(), 2, { "refused:RATE_LIMITED": 2 });
    await computeUsage(NOW);
    const { status, text } = await (await staff()).get(
      "/console/metrics?tab=requests&since=2026-05-20T07:00&granularity=hour",
    );
    expect(status).toBe(200);
    expect(linesOf(text, "Requests")).toEqual({
      Accepted: "0,4,0,5",
      Repeated: "0,2,0,0",
      Refused: "0,8,0,0",
    });
    expect(linesOf(text, "Reports, by what became of them")).toEqual({
      Completed: "0,4,0,3",
      "Under way": "0,0,0,1",
      Failed: "0,0,0,1",
    });
    const shown = read(text);
    expect(shown).toMatch(/Accepted 9 Repeated 2 Refused 8/);
    expect(shown).toMatch(/In all 2\.0 KB/);
    expect(shown).toMatch(/INVALID_SIGNATURE 6 75\.0 % RATE_LIMITED 2 25\.0 %/);
    expect(text).toMatch(/<script type="module" src="\/console\/assets\/charts\./);
    expect(text).not.toMatch(/<style|\sstyle=|\son\w+=/);
  });

  it("of a time without any say so", async () => {
    const { status, text } = await (await staff()).get("/console/metrics?tab=requests");
    expect(status).toBe(200);
    expect(read(text)).toContain("Requests Accepted 0 Repeated 0 Refused 0 Nothing in this time.");
    expect(read(text)).toContain("No request was refused in this time.");
  });

  it("of one connection are its own, with the way to it", async () => {
    const [gate, other] = [await newConnection(), await newConnection()];
    await count(gate, 0, { accepted: 5 });
    await count(other, 0, { accepted: 40 });
    await computeUsage(NOW);
    const { text } = await (await staff()).get(`/console/metrics?tab=requests&of=${gate.id}`);
    expect(read(text)).toContain("Accepted 5 ");
    expect(text).toContain(`href="/console/connections/${gate.id}"`);
    // No counts of deliveries, and no comparison, of one connection.
    expect(text).not.toContain("tab=deliveries");
    expect(text).not.toContain("tab=senders");
  });
});

describe("the goals", () => {
  it("are the guide's metrics by their names, each with what is aimed at", async () => {
    const gate = await newConnection();
    await count(gate, 1, { accepted: 1_899, ...timed("latency_completed", 60_000, 60_000, 1_800_000) });
    await count(gate, 30, { "refused:INTERNAL_ERROR": 1 });
    await bindings.DB.prepare("DELETE FROM events").run();
    await tell({
      ...newEvent({ type: "audit.adjusted", data: JSON.stringify({ results: { adjustment: 45.25 } }) }),
      owner: ACME,
    });
    await computeUsage(NOW);
    const { status, text } = await (await staff()).get("/console/metrics");
    expect(status).toBe(200);
    const shown = read(text);
    expect(shown).toMatch(/Freshness ● Goal reached 6\d s median/);
    expect(shown).toContain("Half of the reports within 15 min.");
    expect(shown).toMatch(/Within 15 min 66\.7 % Reports completed 3/);
    expect(shown).toMatch(/Error budget ▲ Half spent 47\.4 % left this month/);
    expect(shown).toMatch(/Failed 1 Requests 1,900/);
    expect(shown).toMatch(/Premium moved \$45\.25 by adjusted audits/);
    expect(shown).toMatch(/Adoption .* share of reporters that report .* Connections that report 1 /);
    expect(shown).toMatch(/Automation – share of automated audits/);
  });

  it("without anything neither praise nor blame", async () => {
    await bindings.DB.prepare("DELETE FROM events").run();
    const { text } = await (await person({ type: "payroll_company", id: `new-${newObjectId()}` })).get(
      "/console/metrics?range=12mo",
    );
    expect(read(text)).not.toMatch(/Goal reached|Goal missed|Half spent|On the way/);
    expect(read(text)).toContain("Freshness – median");
  });
});

describe("deliveries and latencies", () => {
  it("of a webhook are charted, with failures by cause and percentiles", async () => {
    const webhook = await storeWebhook();
    await countWebhook(webhook, TEN, {
      delivered: 3,
      "failed_attempts:timeout": 2,
      failed_deliveries: 1,
      ...timed("latency_delivered", 1_000, 1_000, 8_000),
    });
    await computeUsage(NOW);
    const browser = await staff();
    const of = `range=24h&of=wh_${webhook.id}`;
    const deliveries = await browser.get(`/console/metrics?tab=deliveries&${of}`);
    expect(read(deliveries.text)).toContain("Attempts Delivered 3 Failed 2");
    expect(read(deliveries.text)).toContain("Failed for good 1");
    expect(read(deliveries.text)).toMatch(/No answer in time 2 100\.0 %/);
    const latencies = await browser.get(`/console/metrics?tab=latencies&${of}`);
    expect(read(latencies.text)).toMatch(/From an event to its receiver p50 1 s p95 8\.\d s p99 8\.\d s/);
    expect(latencies.text).not.toContain("From a request to its answer");
    expect(linesOf(latencies.text, "From an event to its receiver").p50).toMatch(/^,{22,23}\d+$/);
  });
});

describe("the comparison", () => {
  it("has the largest first, pages of fifty, and leads to the numbers of each", async () => {
    const gates = await Promise.all(Array.from({ length: 60 }, () => newConnection()));
    for (const [i, gate] of gates.entries()) await count(gate, 0, { accepted: i + 1 });
    await computeUsage(NOW);
    const browser = await staff();
    const first = await browser.get("/console/metrics?tab=senders&measure=accepted&by=connection&range=24h");
    expect(first.text.match(/class="row"/g)).toHaveLength(50);
    const totals = [...first.text.matchAll(/<td class="numeric">(\d+)<\/td>/g)].map(([, n]) => Number(n));
    expect(totals).toEqual(totals.toSorted((a, b) => b - a));
    const [, next = ""] = /<a href="([^"]*cursor=[^"]*)">Next page/.exec(first.text) ?? [];
    const second = await browser.get(next.replaceAll("&amp;", "&"));
    expect(second.text.match(/class="row"/g)).toHaveLength(10);
    const ids = [first, second].flatMap(({ text }) =>
      [...text.matchAll(/of=([0-9a-f]{24})/g)].map(([, id]) => id),
    );
    expect(new Set(ids)).toEqual(new Set(gates.map(({ id }) => id)));
    expect(first.text).toContain(`/console/metrics?of=${ids[0]}&amp;tab=requests&amp;range=24h"`);
    // One call for a page, whatever it compares.
    expect(first.text).toContain("This page as an API call");
  });

  it.each([
    ["refused_share", "connection", /25\.0 % 1 4 /],
    ["freshness", "environment", /sandbox|production/],
    ["error_budget", "owner", /payroll_company\/acme 100\.0 % 0 4 /],
    ["bytes", "owner", /payroll_company\/acme 500 B /],
    ["refused", "webhook", /Refused requests by connection/],
    ["nonsense", "nonsense", /Accepted reports by connection/],
  ])("of %s by %s", async (measure, by, expected) => {
    const gate = await newConnection();
    await count(gate, 0, {
      accepted: 3,
      bytes: 500,
      "refused:INVALID_SIGNATURE": 1,
      ...timed("latency_completed", 4_000),
    });
    await computeUsage(NOW);
    const { status, text } = await (await staff()).get(
      `/console/metrics?tab=senders&measure=${measure}&by=${by}`,
    );
    expect(status).toBe(200);
    expect(read(text)).toMatch(expected);
  });
});

describe("an owner's session", () => {
  it("counts its own part only, and has no split by owner", async () => {
    const own = await newConnection();
    const theirs = await newConnection({ type: "payroll_company", id: "other" });
    await count(own, 0, { accepted: 5 });
    await count(theirs, 0, { accepted: 40 });
    await computeUsage(NOW);
    const browser = await person(ACME, "view");
    const { text } = await browser.get("/console/metrics?tab=requests&owner=payroll_company/other");
    expect(read(text)).toContain("Accepted 5 ");
    const compared = await browser.get("/console/metrics?tab=senders&by=owner");
    expect(compared.text).toContain(own.id);
    expect(compared.text).not.toContain(theirs.id);
    expect(compared.text).not.toContain('<option value="owner"');
  });

  it.each(["connection", "webhook"])("does not find another owner's %s", async (kind) => {
    const owner = { owner_type: "payroll_company" as const, owner_id: "other" };
    const of =
      kind === "webhook" ? `wh_${(await storeWebhook(owner)).id}` : (await createConnection(owner)).id;
    const browser = await person(ACME);
    for (const path of [`tab=latencies&of=${of}`, `tab=latencies&of=${of}&format=csv`]) {
      const { status, text } = await browser.get(`/console/metrics?${path}`);
      expect(status).toBe(404);
      expect(text).toContain(`No such ${kind}`);
    }
  });
});

describe("the export", () => {
  it("has the numbers of the page, unrounded, as a file", async () => {
    const gate = await newConnection();
    await count(gate, 1, { accepted: 1_234, bytes: 1_234_567 });
    await computeUsage(NOW);
    const browser = await staff();
    const query = "tab=requests&since=2026-05-20T09:00&granularity=hour&environment=production";
    const page = await browser.get(`/console/metrics?${query}`);
    expect(page.text).toContain(
      `href="/console/metrics?${query.replaceAll("&", "&amp;").replace("09:00", "09%3A00")}&amp;format=csv"`,
    );
    const { status, headers, text } = await browser.get(`/console/metrics?${query}&format=csv`);
    expect(status).toBe(200);
    expect(headers.get("Content-Type")).toBe("text/csv; charset=utf-8");
    expect(headers.get("Content-Disposition")).toBe(
      'attachment; filename="audit1-requests-since-2026-05-20.csv"',
    );
    expect(headers.get("Cache-Control")).toBe("no-store");
    const lines = text.split("\r\n");
    expect(lines[0]).toBe("chart,series,figure,from,value,unit");
    expect(lines).toContain("Requests,Accepted,Total,,1234,count");
    expect(lines).toContain("Requests,Accepted,,2026-05-20T09:00:00.000Z,1234,count");
    expect(lines).toContain("Size of accepted reports,In all,,2026-05-20T09:00:00.000Z,1234567,bytes");
    expect(lines.at(-1)).toBe("");
  });

  it("of a comparison has each row's numbers and their course", async () => {
    const gate = await newConnection({ type: "payroll_company", id: "-acme" });
    await count(gate, 0, { accepted: 3 });
    await computeUsage(NOW);
    const { text } = await (await staff()).get(
      "/console/metrics?tab=senders&measure=accepted&by=owner&range=24h&granularity=day&format=csv",
    );
    expect(text.split("\r\n").slice(1, -1)).toEqual([
      "Accepted reports by owner,payroll_company/-acme,Total,,3,count",
      "Accepted reports by owner,payroll_company/-acme,,2026-05-20T00:00:00.000Z,3,count",
    ]);
  });

  it("of a page with a part that failed is the page, which says so", async () => {
    const browser = new Browser({ using: without("DB") });
    browser.cookie = (await staff()).cookie;
    const { status, headers } = await browser.get("/console/metrics?tab=requests&format=csv");
    expect(status).toBe(503);
    expect(headers.get("Content-Type")).toMatch(/^text\/html/);
  });
});

describe("an address that makes no sense", () => {
  it("is answered as far as it does, and says what was left out", async () => {
    const { status, text } = await (await staff()).get(
      `/console/metrics?of=${encodeURIComponent("<img src=x onerror=alert(1)>")}&since=soon&range=90d&granularity=hour`,
    );
    expect(status).toBe(200);
    expect(text).not.toContain("<img");
    expect(read(text)).toContain("Everything is shown.");
    expect(read(text)).toContain("From is not a time such as 2026-03-16T10:30.");
    expect(read(text)).toContain("Hours cover at most 31 days, so days are shown.");
  });

  it("with a cursor of another list shows what the API says", async () => {
    const { status, text } = await (await staff()).get("/console/metrics?tab=senders&cursor=nonsense");
    expect(status).toBe(400);
    expect(read(text)).toContain("The numbers could not be read.");
  });
});

it("says up to when it is counted, in days of UTC", async () => {
  const { text } = await (await staff()).get(
    `/console/metrics?since=${new Date(DAY - 20 * DAY_MS).toISOString().slice(0, 10)}`,
  );
  expect(read(text)).toMatch(/Days of UTC from 2026-04-30 ?\. Counted up to 10 min ago/);
});
