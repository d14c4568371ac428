import { describe, expect, it } from "vitest";
import { ALERT_KINDS, runbookOf, TITLES } from "../../../src/watch/alert-kinds.ts";
import { alertMailOf } from "../../../src/watch/alert-mail.ts";
import type { Alert } from "../../../src/watch/alert-store.ts";

const alert = (fields: Partial<Alert> = {}): Alert => ({
  id: "alt_1",
  kind: "report_waiting",
  subject: { kind: "api_key", id: "6512f0a1c3d4e5f60718293a" },
  owner: null,
  facts: { received_at: "2026-03-16T10:30:00.000Z" },
  openedAt: Date.parse("2026-03-16T10:46:00.000Z"),
  resolvedAt: null,
  acknowledgedAt: null,
  acknowledgedBy: null,
  ...fields,
});

describe("a mail about alerts", () => {
  it.each(ALERT_KINDS)("of kind %s says what happened and where the runbook speaks of it", (kind) => {
    const { subject, text } = alertMailOf([alert({ kind })], { redirected: false });
    expect(subject).toBe(`Alert: ${TITLES[kind]}`);
    expect(text).toContain(runbookOf(kind));
    expect(text).not.toContain("notification_email");
  });

  it("names what each alert is about, since when, and its facts", () => {
    const { text } = alertMailOf([alert()], { redirected: false });
    expect(text).toContain(
      "alt_1: api key ak_6512f0a1c3d4e5f60718293a, since 2026-03-16T10:46:00.000Z, received at 2026-03-16T10:30:00.000Z\n",
    );
  });

  it("says if an alert has ended meanwhile", () => {
    const ended = alert({
      subject: { kind: "gateway", id: "" },
      facts: {},
      resolvedAt: Date.parse("2026-03-16T10:50:00.000Z"),
    });
    expect(alertMailOf([ended], { redirected: false }).text).toContain(
      "alt_1: the gateway, since 2026-03-16T10:46:00.000Z to 2026-03-16T10:50:00.000Z\n",
    );
  });

  it("lists twenty of many alerts, and says how many there are", () => {
    const [first = alert(), ...others] = Array.from({ length: 500 }, (_, i) => alert({ id: `alt_${i}` }));
    const { subject, text } = alertMailOf([first, ...others], { redirected: true });
    expect(subject).toContain("(500)");
    expect(text.match(/^alt_/gm)).toHaveLength(20);
    expect(text).toContain("… and 480 more");
    expect(text).toContain("notification_email");
  });
});
