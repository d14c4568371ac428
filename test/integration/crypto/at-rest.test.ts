import { runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { describe, expect, it, vi } from "vitest";
import { payloadContext, secretContext } from "../../../src/crypto/contexts.ts";
import { toBase64, toHex, utf8 } from "../../../src/crypto/encoding.ts";
import { SealBroken, unseal, unsealText } from "../../../src/crypto/vault.ts";
import type { StoredSecret } from "../../../src/db/schema.ts";
import { columnOf, dataKeyOf, dumpArchive, dumpDatabase, dumpGate } from "../../support/at-rest.ts";
import {
  accepted,
  advance,
  answering,
  bringToTheEnd,
  catchWakeUps,
  creatorThat,
  deliverFiles,
  gateOfFile,
  runCron,
  wakeUpsOfEachTest,
} from "../../support/forwarding.ts";
import { onInbox } from "../../support/gate.ts";
import {
  bindings,
  createApiKey,
  createBoundConnection,
  fileStatus,
  portal,
  post,
  report,
} from "../../support/gateway.ts";
import { catchEndpointWakeUps, catchMails, receiver, wake } from "../../support/outbound.ts";

wakeUpsOfEachTest();

describe("data at rest", () => {
  const marker = "MARKER-078-05-1120";

  it.each([
    ["small", 0],
    ["large", 70_000],
  ])("holds nothing of a %s report in clear, at any time of its life", async (_name, padding) => {
    const connection = await createBoundConnection();
    const key = await createApiKey();
    const rotated = (await portal("POST", `/connections/${connection.id}/rotate-secret`, {})).json.secret;
    const logs = [vi.spyOn(console, "log"), vi.spyOn(console, "error"), vi.spyOn(console, "warn")];
    const body = report({ ssn: marker, pad: "x".repeat(padding) });
    const secrets = [marker, connection.secret, rotated, key.token, "payroll-key-2026", "creator-said-no"];

    const fileId = await accepted(connection, body, { headers: { "Idempotency-Key": "payroll-key-2026" } });
    const stages: string[] = [];
    const look = async () =>
      stages.push([await dumpGate(fileId), await dumpDatabase(), await dumpArchive()].join("\n"));
    await look();
    const no = new Response("creator-said-no", { status: 503 });
    await deliverFiles([fileId], creatorThat(answering(no)).using);
    await look();
    advance(60_000);
    const refused = new Response("creator-said-no", { status: 422 });
    await deliverFiles([fileId], creatorThat(answering(refused)).using);
    await fileStatus(key.token, fileId);
    await look();
    for (let hour = 0; hour < 3; hour++) {
      advance(3_600_000);
      await runDurableObjectAlarm(gateOfFile(fileId));
    }
    await look();

    expect(await columnOf(fileId, "payload")).toBeNull();
    expect(stages.at(-1)).toContain("A1SEG001");
    for (const text of [...stages, JSON.stringify(logs.map((log) => log.mock.calls))]) {
      for (const secret of secrets) {
        for (const form of [secret, toHex(utf8(secret)), toBase64(utf8(secret)).slice(0, -4)])
          expect(text.includes(form), form).toBe(false);
      }
    }
  });

  it("opens under the connection's own data key, for the file it is sealed for and no other", async () => {
    const connection = await createBoundConnection();
    const gate = { kind: "connection", id: connection.id } as const;
    const body = report();
    const [fileId, other] = [await accepted(connection, body), await accepted(connection)];
    const sealed = await columnOf(fileId, "payload");
    if (!(sealed instanceof ArrayBuffer)) throw new Error("the payload is not in its row");
    const key = await dataKeyOf(gate);
    const payload = new Uint8Array(sealed);
    expect(await unseal(key, payload, payloadContext(gate, fileId))).toEqual(utf8(body));
    await expect(unseal(key, payload, payloadContext(gate, other))).rejects.toBeInstanceOf(SealBroken);
  });

  it("cannot be swapped between two rows of a gate: neither payload is forwarded as the other", async () => {
    const connection = await createBoundConnection();
    const [first, second] = [await accepted(connection), await accepted(connection)];
    await runInDurableObject(gateOfFile(first), (_gate, { storage }) => {
      const [a = "", b = ""] = [first, second].map((fileId) => fileId.slice(-20));
      const payloads = [a, b].map(
        (seq) => onInbox(storage.sql, "SELECT payload FROM inbox WHERE seq = ?", seq)[0]?.payload,
      );
      onInbox(storage.sql, "UPDATE inbox SET payload = ? WHERE seq = ?", payloads[1] ?? null, a);
      onInbox(storage.sql, "UPDATE inbox SET payload = ? WHERE seq = ?", payloads[0] ?? null, b);
    });
    const { received, using } = creatorThat();
    await deliverFiles([first, second], using);
    expect(received).toEqual([]);
  });
});

describe("a webhook's address", () => {
  it("is nowhere stored in the clear, and is in no list, log, mail or audit row", async () => {
    const owner = { owner_type: "payroll_company", owner_id: "addresses" };
    const [first, second] = ["PATH-one?sig=QUERY-one", "PATH-two?sig=QUERY-two"].map(
      (rest) => `https://hooks.receiver-audit.com/services/${rest}`,
    );
    const logs = [vi.spyOn(console, "log"), vi.spyOn(console, "error"), vi.spyOn(console, "warn")];
    const mails = catchMails();
    const woken = catchEndpointWakeUps();
    const made = await portal("POST", "/webhooks", {
      ...owner,
      environment: "production",
      url: first,
      events: ["*"],
    });
    const hook = { id: made.json.webhook._id };
    await portal("PATCH", `/webhooks/${hook.id}`, { url: second });
    const { calls } = receiver(() => new Response(null, { status: 410 }));
    await portal("POST", `/webhooks/${hook.id}/test`);
    const event = {
      ...owner,
      environment: "production",
      id: "evt_at_rest",
      type: "policy.created",
      data: {},
    };
    await portal("POST", "/events", event);
    await wake(hook);
    await runCron();
    expect(calls.map(({ url }) => url)).toEqual([second, second]);
    expect(woken.quick).toContain(hook.id);
    expect(mails).not.toEqual([]);
    await portal("PATCH", `/webhooks/${hook.id}`, {
      status: "active",
      url: `${first}/blocked`.replace("https", "http"),
    });
    const query = new URLSearchParams({ ...owner, environment: "production" });
    const lists = [
      `/webhooks?${query}`,
      `/webhooks/${hook.id}/deliveries`,
      `/audit?${new URLSearchParams(owner)}`,
    ];
    const answers = await Promise.all(lists.map((path) => portal("GET", path)));
    for (const answer of answers) expect(answer.status).toBe(200);
    const texts = {
      database: await dumpDatabase(),
      answers: JSON.stringify(answers.map(({ json }) => json)),
      mails: JSON.stringify(mails),
      logs: JSON.stringify(logs.map((log) => log.mock.calls)),
    };
    expect(texts.database).toContain("hooks.receiver-audit.com/services…");
    for (const [where, text] of Object.entries(texts)) {
      for (const secret of ["PATH-one", "QUERY-one", "PATH-two", "QUERY-two"]) {
        for (const form of [secret, toHex(utf8(secret)), toBase64(utf8(secret)).slice(0, -4)])
          expect(text.includes(form), `${form} in ${where}`).toBe(false);
      }
    }
  });
});

describe("a sealed secret that was copied to another connection's row", () => {
  const rowOf = (id: string) =>
    bindings.DB.prepare("SELECT secrets, data_key FROM connections WHERE id = ?")
      .bind(id)
      .first<{ secrets: string; data_key: string }>();

  it("cannot be unsealed there", async () => {
    const [a, b] = [await createBoundConnection(), await createBoundConnection()];
    const row = await rowOf(a.id);
    const [stored]: StoredSecret[] = JSON.parse(row?.secrets ?? "[]");
    if (stored === undefined) throw new Error("a connection has a secret");
    const [own, other] = await Promise.all(
      [a, b].map(({ id }) => dataKeyOf({ kind: "connection", id } as const)),
    );
    if (own === undefined || other === undefined) throw new Error("each connection has a data key");
    expect(await unsealText(own, stored.sealed, secretContext(a.id, stored.id))).toBe(a.secret);
    await expect(unsealText(other, stored.sealed, secretContext(b.id, stored.id))).rejects.toBeInstanceOf(
      SealBroken,
    );
    await expect(unsealText(own, stored.sealed, secretContext(b.id, stored.id))).rejects.toBeInstanceOf(
      SealBroken,
    );
    await expect(unsealText(own, stored.sealed, secretContext(a.id, "x"))).rejects.toBeInstanceOf(SealBroken);
  });

  it.each([
    ["alone", "secrets = ?1"],
    ["with its data key", "secrets = ?1, data_key = ?2"],
  ])("lets nobody in, %s", async (_name, assignment) => {
    const [a, b] = [await createBoundConnection(), await createBoundConnection()];
    const row = await rowOf(a.id);
    await bindings.DB.prepare(`UPDATE connections SET ${assignment} WHERE id = ?3 AND ?2 <> ''`)
      .bind(row?.secrets, row?.data_key, b.id)
      .run();
    const answer = await post({ id: b.id, secret: a.secret });
    expect(answer.status).toBe(503);
    expect(JSON.stringify(answer.json)).not.toMatch(/seal|key|open/i);
  });
});

describe("a ring that is being rotated", () => {
  const fresh = `test-2:${toBase64(crypto.getRandomValues(new Uint8Array(32)))}`;
  const both = { VAULT_KEYS: `${fresh},${bindings.VAULT_KEYS}` };
  const freshOnly = { VAULT_KEYS: fresh };

  it("serves connections of the old key and of the new one, at the intake and to the files-creator", async () => {
    const { received, using } = creatorThat();
    const old = await createBoundConnection();
    const made = await portal(
      "POST",
      "/connections",
      { owner_type: "payroll_company", owner_id: "acme", employer_id: old.employerId },
      "portal",
      { ...using, ...both },
    );
    const young = { id: made.json.connection.id, secret: made.json.secret };
    for (const connection of [old, young]) {
      const answer = await post(connection, report(), {}, { ...using, ...both });
      expect(answer.status).toBe(202);
      await deliverFiles([answer.json.file_id], { ...using, ...both });
    }
    expect(received).toHaveLength(2);
  });

  it("that lost the old key too early loses no report: it is forwarded once the key is back", async () => {
    const { received, using } = creatorThat();
    const wakeUps = catchWakeUps();
    const fileId = await accepted(await createBoundConnection());
    const delivered = await deliverFiles([fileId], { ...using, ...freshOnly });
    expect(delivered).toEqual({ acked: [0], retried: [] });
    expect(received).toEqual([]);
    await bringToTheEnd(fileId, wakeUps, using);
    expect(received.map(({ key }) => key)).toEqual([fileId]);
  });

  it("and lost the old key turns the connection's reports away with a 503, which may be repeated", async () => {
    const connection = await createBoundConnection();
    const answer = await post(connection, report(), {}, { ...bindings, ...freshOnly });
    expect(answer).toMatchObject({ status: 503, json: { error: "Service unavailable" } });
    expect((await post(connection)).status).toBe(202);
  });
});
