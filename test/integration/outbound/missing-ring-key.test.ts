/** Deliveries that cannot be made with the present settings: they wait, and nothing counts against them or their endpoint. */
import { afterEach, expect, it, vi } from "vitest";
import type { Bindings } from "../../../src/bindings.ts";
import { toBase64 } from "../../../src/crypto/encoding.ts";
import { bindings } from "../../support/gateway.ts";
import {
  catchEndpointWakeUps,
  deliveriesOf,
  handOver,
  receiver,
  stored,
  storeWebhook,
  tell,
} from "../../support/outbound.ts";

const OTHER_RING = `other:${toBase64(new Uint8Array(32).fill(7))}`;

afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

it.each([
  ["the key ring lacks it", { VAULT_KEYS: OTHER_RING }],
  ["the key ring cannot be read", { VAULT_KEYS: "nonsense" }],
  ["it is not known which hosts are our own", { OWN_ZONES: "https://audit1.com" }],
])("while %s", async (_, by) => {
  catchEndpointWakeUps();
  const { calls } = receiver();
  const webhook = await storeWebhook();
  await tell();
  const using: Bindings = { ...bindings, ...by };
  const written: string[] = [];
  vi.spyOn(console, "error").mockImplementation((line) => void written.push(String(line)));

  expect(await handOver([{ webhook_ids: [webhook.id] }], { using })).toEqual({ acked: [0], retried: [] });
  const [delivery] = await deliveriesOf(webhook);
  expect(delivery).toMatchObject({ status: "pending", attempts: 0, history: [] });
  expect(delivery?.last_error).toBe("not_configured");
  expect(delivery?.next_attempt_at).toBeGreaterThan(Date.now() + 590_000);
  expect(await stored(webhook)).toMatchObject({ consecutive_failures: 0, failing_since: null, holder: null });
  expect(written.join()).toContain("a setting of the gateway is missing");
  expect(calls).toEqual([]);

  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 601_000 });
  await handOver([{ webhook_ids: [webhook.id] }]);
  expect(calls).toHaveLength(1);
  expect((await deliveriesOf(webhook))[0]).toMatchObject({
    status: "delivered",
    attempts: 1,
    last_error: null,
  });
});
