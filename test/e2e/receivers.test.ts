/** Deliveries are accepted by everyone who verifies them as documented, through every moment of a rotation. */
import { Webhook as StandardWebhook } from "standardwebhooks";
import { Webhook as SvixWebhook } from "svix";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { eventBody, TEST_DATA } from "../../src/outbound/event-types.ts";
import {
  newWebhookSecret,
  type SignatureFormat,
  signDelivery,
  signersOf,
} from "../../src/outbound/signing.ts";
import { isInstalled, LANGUAGES, type Receiver, startReceiver } from "./receivers.ts";

const OLD = newWebhookSecret();
const NEW = newWebhookSecret();
const EVENT = {
  id: "evt_0G5ENQ5XTXRQ",
  type: "file.processed",
  createdAt: Date.UTC(2026, 10, 24),
  source: "audit1_system",
  environment: "production",
  sequence: 1_816_224_768_004_096,
} as const;
const DATA = JSON.stringify({
  fileName: "Zoë – 2026.csv",
  total: 375000.0,
  tiny: 1e-7,
  "2": null,
  "1": "\ud83d",
});
const BODY = new TextEncoder().encode(eventBody(EVENT, DATA));

/** The secrets in force, the leading one first, and who verifies: with the old secret and with the new one. */
const MOMENTS: [
  name: string,
  secrets: [string, ...string[]],
  single: [boolean, boolean],
  list: [boolean, boolean],
][] = [
  ["before a rotation", [OLD], [true, false], [true, false]],
  ["while the old secret leads", [OLD, NEW], [true, false], [true, true]],
  ["once the new secret is activated", [NEW, OLD], [false, true], [true, true]],
  ["after the old secret has ended", [NEW], [false, true], [false, true]],
];

const TEST_BODY = new TextEncoder().encode(
  eventBody({ ...EVENT, type: "webhook.test" }, JSON.stringify(TEST_DATA)),
);

async function sign(secrets: [string, ...string[]], format: SignatureFormat, body = BODY) {
  const rotating = secrets[0] === OLD && secrets.length > 1;
  return signDelivery({
    id: EVENT.id,
    body,
    signers: await signersOf(secrets),
    rotating,
    format,
    now: Date.now(),
  });
}

const RECEIVERS: [name: string, reads: "one value" | "a list", format: SignatureFormat][] = [
  ["body-only", "one value", "sha256"],
  ["first-v1", "one value", "timestamped"],
  ["inbound-scheme", "one value", "timestamped"],
  ["inbound-scheme", "one value", "sha256"],
  ["every-v1", "a list", "timestamped"],
];

describe.each(LANGUAGES.map((language) => ({ language, installed: isInstalled(language) })))(
  "a receiver in $language (installed: $installed)",
  ({ language, installed }) => {
    describe.skipIf(!installed).each(RECEIVERS)(
      "%s, which reads %s of %s signatures",
      (name, reads, format) => {
        let withOld: Receiver;
        let withNew: Receiver;
        beforeAll(async () => {
          [withOld, withNew] = await Promise.all([
            startReceiver(language, name, OLD),
            startReceiver(language, name, NEW),
          ]);
        });
        afterAll(() => {
          withOld.stop();
          withNew.stop();
        });

        it.each(MOMENTS)("accepts what its secret allows %s", async (_, secrets, single, list) => {
          const headers = await sign(secrets, format);
          const accepted = reads === "a list" ? list : single;
          expect(await withOld.deliver(headers, BODY)).toBe(accepted[0] ? 200 : 401);
          expect(await withNew.deliver(headers, BODY)).toBe(accepted[1] ? 200 : 401);
        });

        it("accepts the test that the portal sends", async () => {
          expect(await withOld.deliver(await sign([OLD], format, TEST_BODY), TEST_BODY)).toBe(200);
        });

        if (reads === "a list") {
          it("refuses what is older than five minutes", async () => {
            const now = Date.now();
            const at = async (ageMs: number) => {
              const secrets: [string] = [OLD];
              const headers = await signDelivery({
                id: EVENT.id,
                body: BODY,
                signers: await signersOf(secrets),
                rotating: false,
                format,
                now: now - ageMs,
              });
              return withOld.deliver(headers, BODY);
            };
            expect(await at(360_000)).toBe(401);
            expect(await at(-360_000)).toBe(401);
            expect(await at(200_000)).toBe(200);
          });

          it("handles a repeated event once", async () => {
            const sendAs = async (id: string) => {
              const body = new TextEncoder().encode(eventBody({ ...EVENT, id }, DATA));
              const headers = await signDelivery({
                id,
                body,
                signers: await signersOf([OLD]),
                rotating: false,
                format,
                now: Date.now(),
              });
              expect(await withOld.deliver(headers, body)).toBe(200);
            };
            await sendAs("evt_twice");
            await sendAs("evt_twice");
            await sendAs("evt_last");
            await vi.waitFor(() => expect(withOld.output()).toContain("evt_last"));
            expect(withOld.output().match(/evt_twice/g)).toHaveLength(1);
          });
        }

        it("refuses a body that was changed", async () => {
          const changed = Uint8Array.from(BODY);
          changed.set(new TextEncoder().encode("9"), BODY.indexOf("3".charCodeAt(0)));
          expect(await withOld.deliver(await sign([OLD], format), changed)).toBe(401);
        });
      },
    );
  },
);

describe.each([
  ["standardwebhooks", (secret: string) => new StandardWebhook(secret)],
  ["svix", (secret: string) => new SvixWebhook(secret)],
] as const)("the published library %s", (_, libraryWith) => {
  const verifies = (secret: string, body: Uint8Array, headers: Record<string, string>) => {
    try {
      libraryWith(secret).verify(new TextDecoder().decode(body), headers);
      return true;
    } catch {
      return false;
    }
  };

  it.each(MOMENTS)(
    "accepts deliveries with every secret in force %s",
    async (_moment, secrets, _single, list) => {
      const headers = await sign(secrets, "timestamped");
      expect([verifies(OLD, BODY, headers), verifies(NEW, BODY, headers)]).toEqual(list);
    },
  );

  it("accepts the test that the portal sends", async () => {
    const headers = await sign([OLD], "timestamped", TEST_BODY);
    expect(verifies(OLD, TEST_BODY, headers)).toBe(true);
  });

  it("refuses a body that was changed", async () => {
    const headers = await sign([OLD], "timestamped");
    expect(verifies(OLD, new TextEncoder().encode('{"id":"evt_1"}'), headers)).toBe(false);
  });
});
