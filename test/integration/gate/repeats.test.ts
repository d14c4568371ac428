import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import { afterEach, describe, expect, it, vi } from "vitest";
import type { Bindings } from "../../../src/bindings.ts";
import { DAY, eventually, HOUR, MINUTE, onInbox, SECOND, unwoken } from "../../support/gate.ts";
import {
  type Answer,
  bindings,
  type Connection,
  createApiKey,
  createBoundConnection,
  createConnection,
  fileStatus,
  filesCreator,
  gateOf,
  inboundPath,
  portal,
  post,
  report,
  send,
  signedRequest,
} from "../../support/gateway.ts";
import { intercepted, without } from "../../support/interception.ts";

afterEach(() => {
  vi.useRealTimers();
});

const COPIES = 200;

async function stored(connection: Connection): Promise<number> {
  return runInDurableObject(
    gateOf(connection),
    (_object, { storage }) => onInbox(storage.sql, "SELECT 1 FROM inbox").length,
  );
}

function fileIds(answers: Answer[]): Set<string> {
  return new Set(answers.map((answer) => answer.json.file_id));
}

/** Sends a request with the wake-ups that a test does not look at left out. */
function sendTo(connection: Connection, request: RequestInit, using: Bindings = unwoken): Promise<Answer> {
  return send(inboundPath(connection), request, using);
}

describe("copies of a request, all at once", () => {
  it.each([
    {
      name: "one signed request",
      make: async (connection: Connection) => {
        const request = await signedRequest(connection);
        return () => Promise.resolve(request);
      },
    },
    {
      name: "one key under many signatures",
      make: async (connection: Connection) => {
        const body = report();
        const now = Date.now();
        return (i: number) =>
          signedRequest(connection, body, {
            timestamp: String(now - i),
            headers: { "Idempotency-Key": "k" },
          });
      },
    },
    {
      name: "signatures and keys in any combination",
      make: async (connection: Connection) => {
        const body = report();
        const now = Date.now();
        return (i: number) =>
          signedRequest(connection, body, {
            timestamp: String(now - Math.floor(i / 4)),
            headers: { "Idempotency-Key": "k" },
          });
      },
    },
    {
      name: "one large signed request",
      make: async (connection: Connection) => {
        const request = await signedRequest(connection, report({ note: "x".repeat(70_000) }));
        return () => Promise.resolve(request);
      },
      copies: 40,
    },
  ])("make one file, and one POST to the files-creator: $name", async ({ make, copies = COPIES }) => {
    const connection = await createBoundConnection();
    const copy = await make(connection);
    const answers = await Promise.all(
      Array.from({ length: copies }, async (_unused, i) => sendTo(connection, await copy(i), bindings)),
    );
    expect(answers.map((answer) => answer.status)).toEqual(answers.map(() => 202));
    expect(fileIds(answers).size).toBe(1);
    expect(answers.filter((answer) => answer.json.duplicate === false)).toHaveLength(1);
    expect(await stored(connection)).toBe(1);
    const [fileId = ""] = fileIds(answers);
    await eventually(async () =>
      expect((await gateOf(connection).status(fileId))?.status).toBe("processing"),
    );
    const last = await sendTo(connection, await copy(0));
    expect(last.json).toMatchObject({ file_id: fileId, status: "processing", duplicate: true });
    expect(await filesCreator.receivedFile(fileId)).toHaveLength(1);
  });
});

describe("a report with an Idempotency-Key", () => {
  const keyed = { headers: { "Idempotency-Key": "payroll-2026-03" } };

  it.each([
    ["signature, then key", [0, 1]],
    ["key, then signature", [1, 0]],
  ])(
    "is known by both, whatever is repeated first: %s, and without the key after that",
    async (_name, order) => {
      const connection = await createBoundConnection();
      const body = report();
      const now = Date.now();
      const first = await sendTo(
        connection,
        await signedRequest(connection, body, { timestamp: String(now), ...keyed }),
      );
      expect(first.json.duplicate).toBe(false);
      for (const i of order) {
        const timestamp = String(now - i);
        const repeat = await sendTo(
          connection,
          await signedRequest(connection, body, { timestamp, ...keyed }),
        );
        expect(repeat.json).toMatchObject({ file_id: first.json.file_id, duplicate: true });
      }
      await evictDurableObject(gateOf(connection));
      for (const i of order) {
        const stripped = await signedRequest(connection, body, { timestamp: String(now - i) });
        expect((await sendTo(connection, stripped)).json).toMatchObject({
          file_id: first.json.file_id,
          duplicate: true,
        });
      }
      expect(await stored(connection)).toBe(1);
    },
  );

  it("is remembered for 24 hours, and forgotten after", async () => {
    const connection = await createBoundConnection();
    const start = Date.now();
    const body = report();
    const first = await post(connection, body, keyed, unwoken);
    vi.setSystemTime(start + DAY - SECOND);
    await evictDurableObject(gateOf(connection));
    expect((await post(connection, body, keyed, unwoken)).json).toMatchObject({
      file_id: first.json.file_id,
      duplicate: true,
    });
    vi.setSystemTime(start + DAY + SECOND);
    const later = await post(connection, body, keyed, unwoken);
    expect(later.json.duplicate).toBe(false);
    expect(later.json.file_id).not.toBe(first.json.file_id);
  });

  it("is a conflict if its key is sent with another body, and the first file stays", async () => {
    const connection = await createBoundConnection();
    const body = report();
    const first = await post(connection, body, keyed, unwoken);
    const conflict = await post(connection, report(), keyed, unwoken);
    expect(conflict.status).toBe(409);
    expect(conflict.json.error).toBe("Idempotency-Key reused with a different body");
    expect(await stored(connection)).toBe(1);
    expect((await post(connection, body, keyed, unwoken)).json.file_id).toBe(first.json.file_id);
  });

  it("is independent of the same key of another connection", async () => {
    const [one, other] = [await createBoundConnection(), await createBoundConnection()];
    const body = report();
    const first = await post(one, body, keyed, unwoken);
    const second = await post(other, body, keyed, unwoken);
    expect(second.json.duplicate).toBe(false);
    expect(second.json.file_id).not.toBe(first.json.file_id);
  });
});

describe("a signed request", () => {
  it("with a timestamp from the future is recognized for as long as it verifies, across eviction", async () => {
    const connection = await createBoundConnection();
    const start = Date.now();
    const request = await signedRequest(connection, report(), { timestamp: String(start + 4 * MINUTE) });
    const first = await sendTo(connection, request);
    expect(first.status).toBe(202);
    for (const after of [4 * MINUTE, 9 * MINUTE - SECOND]) {
      vi.setSystemTime(start + after);
      await evictDurableObject(gateOf(connection));
      expect((await sendTo(connection, request)).json).toMatchObject({
        file_id: first.json.file_id,
        duplicate: true,
      });
    }
    vi.setSystemTime(start + 9 * MINUTE + SECOND);
    expect(await sendTo(connection, request)).toMatchObject({
      status: 401,
      json: { error: "Request timestamp expired" },
    });
  });

  it("is recognized in either letter case of its signature and of the connection's id", async () => {
    const connection = await createBoundConnection();
    const body = report();
    const request = await signedRequest(connection, body);
    const first = await sendTo(connection, request);
    const headers = new Headers(request.headers);
    headers.set("X-Webhook-Signature", (headers.get("X-Webhook-Signature") ?? "").toUpperCase());
    const repeat = await send(
      inboundPath({ id: connection.id.toUpperCase() }),
      { ...request, headers },
      unwoken,
    );
    expect(repeat.json).toMatchObject({
      file_id: first.json.file_id,
      duplicate: true,
      connection_id: connection.id,
    });
  });

  it("that was refused because its connection was inactive is accepted when it is active again", async () => {
    const connection = await createBoundConnection();
    const request = await signedRequest(connection);
    await portal("PATCH", `/connections/${connection.id}`, { status: "inactive" });
    expect((await sendTo(connection, request)).status).toBe(403);
    await portal("PATCH", `/connections/${connection.id}`, { status: "active" });
    expect(await sendTo(connection, request)).toMatchObject({ status: 202, json: { duplicate: false } });
  });

  it("that was rejected for an unknown employer is accepted once the employer exists", async () => {
    const connection = await createConnection();
    const employerId = `EMP_LATE_${Date.now()}`;
    const request = await signedRequest(connection, report({ employer_id: employerId }));
    expect((await sendTo(connection, request)).status).toBe(404);
    const owners = [{ owner_type: "payroll_company", owner_id: "acme" }];
    await portal("PUT", `/employers/${employerId}`, { fein: "98-7654321", name: "Late", owners });
    expect(await sendTo(connection, request)).toMatchObject({
      status: 202,
      json: { duplicate: false, employer_id: employerId },
    });
  });

  it("that got a 503 because the gate did not respond is accepted once, by its first repeat", async () => {
    const connection = await createBoundConnection();
    const deaf = without("CONNECTION_GATE.admit", Number.POSITIVE_INFINITY, unwoken);
    const request = await signedRequest(connection);
    const refused = await sendTo(connection, request, deaf);
    expect(refused.status).toBe(503);
    expect(refused.headers.get("Retry-After")).not.toBeNull();
    expect((await sendTo(connection, request)).json.duplicate).toBe(false);
    expect((await sendTo(connection, request)).json.duplicate).toBe(true);
  });

  it("that was stored although its answer was lost twice makes no second file", async () => {
    const connection = await createBoundConnection();
    const mute = intercepted(async (call, proceed) => {
      const answer = await proceed();
      if (call === "CONNECTION_GATE.admit") throw new Error("Network connection lost.");
      return answer;
    }, unwoken);
    const request = await signedRequest(connection);
    expect((await sendTo(connection, request, mute)).status).toBe(503);
    expect(await sendTo(connection, request)).toMatchObject({ status: 202, json: { duplicate: true } });
    expect(await stored(connection)).toBe(1);
  });

  it("whose file has failed is answered 502", async () => {
    const connection = await createBoundConnection();
    const request = await signedRequest(connection, report(), { headers: { "Idempotency-Key": "k" } });
    const { json } = await sendTo(connection, request);
    const { files } = await gateOf(connection).claim([json.file_id]);
    const error = new Uint8Array([1]);
    await gateOf(connection).settle(json.file_id, files[0]?.token ?? "", {
      kind: "refused",
      responseStatus: 422,
      error,
    });
    const repeat = await sendTo(connection, request);
    expect(repeat).toMatchObject({ status: 502, json: { error: "File processing failed" } });
    await portal("POST", `/files/${json.file_id}/replay`);
    await eventually(async () =>
      expect(await sendTo(connection, request)).toMatchObject({
        status: 202,
        json: { duplicate: true, status: "processing" },
      }),
    );
  });
});

describe("the same body under a new signature", () => {
  it("is accepted with a warning that names the earlier file, and the files-creator is notified", async () => {
    const connection = await createBoundConnection();
    const body = report();
    const now = Date.now();
    const first = await post(connection, body, { timestamp: String(now - 1) }, unwoken);
    const second = await post(connection, body, { timestamp: String(now) });
    expect(second.json.duplicate).toBe(false);
    expect(second.json.file_id).not.toBe(first.json.file_id);
    expect(second.json.warnings.body).toContain(first.json.file_id);
    await eventually(async () =>
      expect(await filesCreator.receivedFile(second.json.file_id)).toHaveLength(1),
    );
    const [received] = await filesCreator.receivedFile(second.json.file_id);
    expect(received?.headers["x-audit1-same-body-as"]).toBe(first.json.file_id);
    await eventually(async () =>
      expect((await gateOf(connection).status(second.json.file_id))?.status).toBe("processing"),
    );
  });

  it("causes no warning an hour later", async () => {
    const connection = await createBoundConnection();
    const body = report();
    await post(connection, body, {}, unwoken);
    vi.setSystemTime(Date.now() + HOUR + SECOND);
    const later = await post(connection, body, {}, unwoken);
    expect(later.json).toMatchObject({ duplicate: false });
    expect(later.json.warnings).not.toHaveProperty("body");
  });

  it("is a repeat on a connection that deduplicates bodies, also by its signature alone", async () => {
    const connection = await createBoundConnection({ same_body: "deduplicate" });
    const body = report();
    const now = Date.now();
    const first = await post(connection, body, { timestamp: String(now - 1) }, unwoken);
    const second = await signedRequest(connection, body, { timestamp: String(now) });
    expect((await sendTo(connection, second)).json).toMatchObject({
      file_id: first.json.file_id,
      duplicate: true,
    });
    await evictDurableObject(gateOf(connection));
    expect((await sendTo(connection, second)).json).toMatchObject({
      file_id: first.json.file_id,
      duplicate: true,
    });
    expect(await stored(connection)).toBe(1);
  });
});

describe("a large report", () => {
  const large = () => report({ note: "x".repeat(100_000) });

  it("whose payload could not be stored is completed by its repeat, and forwarded byte for byte", async () => {
    const connection = await createBoundConnection();
    const key = await createApiKey();
    const away = without("ARCHIVE.put");
    const body = large();
    const request = await signedRequest(connection, body);
    const refused = await sendTo(connection, request, away);
    expect(refused.status).toBe(503);
    const reserved = await runInDurableObject(gateOf(connection), (_object, { storage }) =>
      onInbox(storage.sql, "SELECT seq, state FROM inbox"),
    );
    expect(reserved).toHaveLength(1);

    const repeat = await sendTo(connection, request, bindings);
    expect(repeat).toMatchObject({ status: 202, json: { status: "queued" } });
    const fileId: string = repeat.json.file_id;
    expect(fileId.endsWith(String(reserved[0]?.seq))).toBe(true);
    expect((await fileStatus(key.token, fileId)).status).toBe(200);
    await eventually(async () =>
      expect((await gateOf(connection).status(fileId))?.status).toBe("processing"),
    );
    const [received] = await filesCreator.receivedFile(fileId);
    expect(received?.size).toBe(body.length);
    const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(body));
    expect(received?.sha256).toBe(
      [...new Uint8Array(digest)].map((b) => b.toString(16).padStart(2, "0")).join(""),
    );
  });

  it("is not a file while its payload is being stored", async () => {
    const connection = await createBoundConnection();
    const key = await createApiKey();
    const body = large();
    let asked: Promise<Answer> | undefined;
    const slow = intercepted(async (call, proceed, [name]) => {
      if (call === "ARCHIVE.put") {
        const seq = /([0-9A-Z]{20})\.seg$/.exec(String(name))?.[1] ?? "";
        const [row] = await runInDurableObject(gateOf(connection), (_object, { storage }) =>
          onInbox(storage.sql, "SELECT seq FROM inbox"),
        );
        expect(row?.seq).toBe(seq);
        asked = send(`/api/v1/files?connection_id=${connection.id}`, {
          headers: { Authorization: `Bearer ${key.token}` },
        });
        expect((await asked).json.files).toEqual([]);
      }
      return proceed();
    }, unwoken);
    const answer = await sendTo(connection, await signedRequest(connection, body), slow);
    expect(asked).toBeDefined();
    expect(answer.status).toBe(202);
    expect((await fileStatus(key.token, answer.json.file_id)).json.status).toBe("queued");
  });

  it("whose reservation ran out while it was stored is refused, and leaves nothing behind", async () => {
    const connection = await createBoundConnection();
    let place = "";
    const late = intercepted(async (call, proceed, [name]) => {
      const answer = await proceed();
      if (call === "ARCHIVE.put") {
        place = String(name);
        await runInDurableObject(gateOf(connection), (_object, { storage }) =>
          onInbox(storage.sql, "DELETE FROM inbox"),
        );
      }
      return answer;
    }, unwoken);
    const body = large();
    expect((await sendTo(connection, await signedRequest(connection, body), late)).status).toBe(503);
    expect(await bindings.ARCHIVE.head(place)).toBeNull();
    await evictDurableObject(gateOf(connection));
    expect((await post(connection, body, {}, unwoken)).json).toMatchObject({ duplicate: false });
  });
});
