/** Files that wait for a key of the key ring: no attempt counts, and they are forwarded once the key is back. */
import { expect, it, vi } from "vitest";
import type { Bindings } from "../../../src/bindings.ts";
import { toBase64 } from "../../../src/crypto/encoding.ts";
import {
  accepted,
  advance,
  bringToTheEnd,
  creatorThat,
  deliverFiles,
  recordOf,
  runCron,
  stuckFileOf,
  wakeUpsOfEachTest,
} from "../../support/forwarding.ts";
import { bindings, createBoundConnection, portal, post, report } from "../../support/gateway.ts";

const OTHER_RING = `other:${toBase64(new Uint8Array(32).fill(7))}`;
const HOUR_MS = 3_600_000;
const wakeUps = wakeUpsOfEachTest();

it.each([
  ["lacks their key", OTHER_RING, "ring_key_missing", { ring_key: "test-1" }],
  ["cannot be read", "", "not_configured", { part: "key_ring" }],
])("while the key ring %s", async (_, ring, reason, fields) => {
  const { received, using } = creatorThat();
  const without: Bindings = { ...using, VAULT_KEYS: ring };
  const fileId = await accepted(await createBoundConnection());
  const written: string[] = [];
  vi.spyOn(console, "error").mockImplementation((line) => void written.push(String(line)));

  const message = await deliverFiles([fileId], without);
  expect([message.acked, message.retried]).toEqual([[0], []]);
  const record = await recordOf(fileId);
  expect(record).toMatchObject({ status: "queued", attempts: 0 });
  expect(record.nextAttemptAt).toBeGreaterThanOrEqual(Date.now() + 59_000);
  expect(await stuckFileOf(fileId)).toMatchObject({ reason, attempts: 0, response_status: null });
  expect(written.map((line) => JSON.parse(line))).toContainEqual(expect.objectContaining(fields));
  expect(written.join()).not.toContain("failed to claim");

  // The file does not fail even after days.
  for (let day = 0; day < 3; day++) {
    advance(24 * HOUR_MS);
    await deliverFiles([fileId], without);
  }
  expect(await recordOf(fileId)).toMatchObject({ status: "queued", attempts: 0 });
  expect(received).toEqual([]);

  await bringToTheEnd(fileId, wakeUps, using);
  expect(received.map(({ key }) => key)).toEqual([fileId]);
  await runCron(advance(HOUR_MS));
  expect(await stuckFileOf(fileId)).toBeNull();
});

it("does not hold up another connection's file in the same message", async () => {
  const { received, using } = creatorThat();
  const both: Bindings = { ...using, VAULT_KEYS: `${OTHER_RING},${bindings.VAULT_KEYS}` };
  const bound = await createBoundConnection();
  const fine = await accepted(bound);
  const owner = { owner_type: "payroll_company", owner_id: "acme" };
  const body = { ...owner, employer_id: bound.employerId };
  const { json } = await portal("POST", "/connections", body, "portal", both);
  const newer = { id: json.connection.id, secret: json.secret };
  const answer = await post(newer, report(), {}, both);
  expect(answer.status).toBe(202);
  const held: string = answer.json.file_id;
  await deliverFiles([held, fine], using);
  expect(received.map(({ fileId }) => fileId)).toEqual([fine]);
  expect(await stuckFileOf(held)).toMatchObject({ reason: "ring_key_missing" });
  advance(HOUR_MS);
  await deliverFiles([held], both);
  expect(received.map(({ fileId }) => fileId)).toEqual([fine, held]);
});
