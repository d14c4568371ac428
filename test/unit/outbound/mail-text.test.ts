import { describe, expect, it } from "vitest";
import { isRefusedForGood } from "../../../src/outbound/email-notices.ts";
import { type MailSubject, mailOf } from "../../../src/outbound/mail-text.ts";

const SINCE = Date.parse("2026-05-04T09:00:00.000Z");

const subject = (fields: Partial<MailSubject> = {}): MailSubject => ({
  webhookId: "65f0c0ffee0123456789abcd",
  host: "hooks.acme.example",
  masked: "hooks.acme.example/in…",
  kind: "endpoint_failing",
  failingSince: SINCE,
  lastFailure: { kind: "status", status: 403, bot_wall: false },
  notices: [{ event_seq: null, reason: "half_an_hour" }],
  ...fields,
});

describe("the mail about a failing endpoint", () => {
  it("states since when, the cause with its status, and when the webhook is disabled", () => {
    const { subject: title, text } = mailOf(subject());
    expect(title).toBe("Webhook failing: hooks.acme.example");
    expect(text).toContain("(hooks.acme.example/in…)");
    for (const part of ["since 2026-05-04T09:00:00.000Z", "HTTP 403", "2026-05-09T09:00:00.000Z"])
      expect(text).toContain(part);
    expect(text).not.toContain("Audit1-Webhooks/1");
  });

  it("shows our User-Agent if a bot filter seems to have answered", () => {
    const { text } = mailOf(subject({ lastFailure: { kind: "status", status: 403, bot_wall: true } }));
    expect(text).toContain("User-Agent is Audit1-Webhooks/1");
  });

  it.each([
    ["half_way", "50 %"],
    ["most_of_the_way", "80 %"],
  ])("says how far it is at %s", (reason, words) => {
    expect(mailOf(subject({ notices: [{ event_seq: null, reason }] })).subject).toContain(words);
  });

  it("names a cause without a status, and one of the edge with it", () => {
    expect(mailOf(subject({ lastFailure: { kind: "dns", status: null, bot_wall: false } })).text).toContain(
      "DNS lookup failed.",
    );
    expect(mailOf(subject({ lastFailure: { kind: "tls", status: 525, bot_wall: false } })).text).toContain(
      "TLS handshake failed (HTTP 525)",
    );
  });
});

describe("an address", () => {
  const withCode = (code: string) => Object.assign(new Error("refused"), { code });
  it.each([
    [withCode("E_RECIPIENT_NOT_ALLOWED"), true],
    [withCode("E_RECIPIENT_SUPPRESSED"), true],
    [withCode("E_VALIDATION_ERROR"), true],
    [new Error("destination address is not a verified address"), true],
    [withCode("E_RATE_LIMIT_EXCEEDED"), false],
    [withCode("E_DAILY_LIMIT_EXCEEDED"), false],
    [withCode("E_DELIVERY_FAILED"), false],
    [withCode("E_INTERNAL_SERVER_ERROR"), false],
    [withCode("E_SENDER_NOT_VERIFIED"), false],
    [new Error("connection lost"), false],
    ["nonsense", false],
  ])("is refused for good by %o: %s", (error, expected) => {
    expect(isRefusedForGood(error)).toBe(expected);
  });
});
