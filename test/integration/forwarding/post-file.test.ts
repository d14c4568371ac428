import { describe, expect, it, vi } from "vitest";
import type { Bindings } from "../../../src/bindings.ts";
import { readSettings } from "../../../src/env.ts";
import { postFile } from "../../../src/forwarding/files-creator.ts";
import { mintFileId } from "../../../src/gate/file-id.ts";
import type { Claimed } from "../../../src/gate/protocol.ts";
import {
  ACCEPTED,
  accepted,
  advance,
  answering,
  creatorThat,
  deliverFiles,
  recordOf,
  sha256,
  stuckFileOf,
  wakeUpsOfEachTest,
} from "../../support/forwarding.ts";
import { bindings, createBoundConnection, filesCreator, report } from "../../support/gateway.ts";

const wakeUps = wakeUpsOfEachTest();

/** A claimed file. */
function claimed(fields: Partial<Claimed> = {}): Claimed {
  return {
    fileId: mintFileId({ kind: "connection", id: "a".repeat(24) }, 0),
    token: "token",
    attempt: 1,
    generation: 1,
    facts: {
      kind: "employee_sync",
      employerId: "EMP_1",
      environment: "sandbox",
      contentType: "application/json",
      requestId: "r-1",
      size: 2,
      receivedAt: 0,
    },
    suspect: false,
    payload: { sealed: new Uint8Array(0) },
    ...fields,
  };
}

describe("with the files-creator's service bound", () => {
  it("posts a report once, and stores how many records it has", async () => {
    const connection = await createBoundConnection();
    const body = report();
    const fileId = await accepted(connection, body);
    expect(wakeUps).toEqual([{ file_ids: [fileId], accepted_ms: [expect.any(Number)] }]);
    expect(await deliverFiles([fileId])).toEqual({ acked: [0], retried: [] });
    const [received, ...more] = await filesCreator.receivedFile(fileId);
    expect(more).toEqual([]);
    expect(received).toMatchObject({ method: "POST", path: "/files", text: body });
    expect(await recordOf(fileId)).toMatchObject({
      status: "processing",
      recordsTotal: 1,
      attempts: 1,
      nextAttemptAt: null,
    });
    expect(await stuckFileOf(fileId)).toBeNull();
    await deliverFiles([fileId]);
    expect(await filesCreator.receivedFile(fileId)).toHaveLength(1);
  });

  it.each([
    ["a response that does not arrive in time", { hang: true }],
    ["a response whose body does not arrive in time", { hangBody: true }],
  ])("counts %s as unavailable", async (_name, step) => {
    await filesCreator.script(step);
    const answer = await postFile(claimed(), new Uint8Array(2), bindings, readSettings(bindings), 100);
    const text = "no answer in time";
    expect(answer).toEqual({ kind: "unavailable", responseStatus: null, retryAfterMs: null, text });
  });
});

describe("headers of POST /files", () => {
  it("name the file, its gate, employer, environment, request and attempt, and contain no token when none is set", async () => {
    const connection = await createBoundConnection({ environment: "sandbox" });
    const { received, using } = creatorThat();
    const fileId = await accepted(connection, report(), {
      headers: { "Content-Type": "application/json; charset=utf8", "X-Request-Id": "req-42" },
    });
    const { facts } = await recordOf(fileId);
    await deliverFiles([fileId], using);
    expect(Object.fromEntries(received[0]?.headers ?? [])).toEqual({
      "content-type": "application/json",
      "x-audit1-content-type": "application/json; charset=utf8",
      "idempotency-key": fileId,
      "x-audit1-file-id": fileId,
      "x-audit1-kind": "payroll_report",
      "x-audit1-connection-id": connection.id,
      "x-audit1-employer-id": connection.employerId,
      "x-audit1-environment": "sandbox",
      "x-audit1-received-at": new Date(facts.receivedAt).toISOString(),
      "x-audit1-request-id": facts.requestId,
      "x-audit1-attempt": "1",
    });
  });

  it.each([
    ["another content type", "text/csv; charset=latin1", "text/csv; charset=latin1"],
    ["no content type", undefined, null],
  ])(
    "declare the payload as JSON, whatever content type the sender gave: %s",
    async (_what, contentType, sent) => {
      const file = claimed();
      const { contentType: _own, ...facts } = file.facts;
      const { received, using } = creatorThat();
      const kept = contentType === undefined ? facts : { ...facts, contentType };
      await postFile({ ...file, facts: kept }, new Uint8Array(2), using, readSettings(using));
      expect(received[0]?.headers.get("Content-Type")).toBe("application/json");
      expect(received[0]?.headers.get("X-Audit1-Content-Type")).toBe(sent);
    },
  );

  it("name an earlier file with the same body", async () => {
    const connection = await createBoundConnection();
    const { received, using } = creatorThat();
    const body = report();
    const first = await accepted(connection, body);
    const second = await accepted(connection, body, { timestamp: String(Date.now() - 1_000) });
    expect(second).not.toBe(first);
    await deliverFiles([first, second], using);
    expect(received.map(({ fileId, headers }) => [fileId, headers.get("X-Audit1-Same-Body-As")])).toEqual(
      expect.arrayContaining([
        [first, null],
        [second, first],
      ]),
    );
  });

  it("name the API key of a report that was sent with one", async () => {
    const fileId = mintFileId({ kind: "key", id: "b".repeat(24) }, 0);
    const file = claimed({ fileId, attempt: 3, generation: 2 });
    const { received, using } = creatorThat();
    await postFile(file, new Uint8Array(2), using, readSettings(using));
    const headers = Object.fromEntries(received[0]?.headers ?? []);
    expect(headers).toMatchObject({
      "x-audit1-api-key-id": "b".repeat(24),
      "x-audit1-kind": "employee_sync",
      "x-audit1-environment": "sandbox",
      "x-audit1-attempt": "3",
      "idempotency-key": `${fileId}.2`,
    });
    expect(headers).not.toHaveProperty("x-audit1-connection-id");
  });

  it("count the attempts, all under one key", async () => {
    const connection = await createBoundConnection();
    const { received, using } = creatorThat(answering(503, 500));
    const fileId = await accepted(connection);
    for (let attempt = 1; attempt <= 3; attempt++) {
      await deliverFiles([fileId], using);
      advance(3_600_000);
    }
    expect(received.map(({ key, headers }) => [key, headers.get("X-Audit1-Attempt")])).toEqual([
      [fileId, "1"],
      [fileId, "2"],
      [fileId, "3"],
    ]);
  });

  it("contain the bearer token when one is set", async () => {
    const connection = await createBoundConnection();
    const { received, using } = creatorThat();
    const fileId = await accepted(connection);
    await deliverFiles([fileId], { ...using, FILES_CREATOR_TOKEN: "fc-token" });
    expect(received[0]?.headers.get("Authorization")).toBe("Bearer fc-token");
  });
});

describe("the bytes of a report", () => {
  const padded = (size: number) => {
    const bare = report({ pad: "" });
    return report({ pad: "x".repeat(size - bare.length - 8), policy_number: bare.slice(18, 26) });
  };

  it.each([
    ["300 bytes", 300],
    ["one byte less than a row holds", 64 * 1024 - 1],
    ["exactly what a row holds", 64 * 1024],
    ["one byte more than a row holds", 64 * 1024 + 1],
    ["the largest report", 10 * 1024 ** 2],
  ])("reach the files-creator unchanged: %s", async (_name, size) => {
    const connection = await createBoundConnection();
    const text = padded(size);
    const body = new TextEncoder().encode(text + " ".repeat(size - text.length)) as Uint8Array<ArrayBuffer>;
    expect(body.byteLength).toBe(size);
    const { received, using } = creatorThat();
    const fileId = await accepted(connection, body);
    await deliverFiles([fileId], using);
    expect(received).toMatchObject([{ fileId, size, sha256: await sha256(body) }]);
    expect(await recordOf(fileId)).toMatchObject({ status: "processing" });
  });

  it("arrive unchanged: escapes, odd spacing, duplicate keys, letters of all scripts", async () => {
    const connection = await createBoundConnection();
    const body = '{ "employees":[{"name":"J\\u00f6rg \u{1F600} 名"}],\r\n\t"a":1,"a":2.50, "b":1e2 }\n';
    const { received, using } = creatorThat();
    const fileId = await accepted(connection, body);
    await deliverFiles([fileId], using);
    expect(received[0]?.sha256).toBe(await sha256(new TextEncoder().encode(body) as Uint8Array<ArrayBuffer>));
  });
});

describe("when the files-creator has a URL", () => {
  const overUrl = (url = "https://files.example.test/base/"): Bindings => {
    const { FILES_CREATOR: _service, ...rest } = bindings;
    return { ...rest, FILES_CREATOR_URL: url, FILES_CREATOR_TOKEN: "url-token" };
  };

  it("posts to it with the token, and follows no redirect", async () => {
    const connection = await createBoundConnection();
    const body = report();
    const fetched: Request[] = [];
    vi.spyOn(globalThis, "fetch").mockImplementation(async (input) => {
      const request = new Request(input as RequestInfo);
      fetched.push(request.clone());
      return ACCEPTED();
    });
    const fileId = await accepted(connection, body);
    await deliverFiles([fileId], overUrl());
    const [request, ...more] = fetched;
    expect(more).toEqual([]);
    expect(request?.url).toBe("https://files.example.test/base/files");
    expect(request?.redirect).toBe("manual");
    expect(request?.headers.get("Authorization")).toBe("Bearer url-token");
    expect(await request?.text()).toBe(body);
    expect(await recordOf(fileId)).toMatchObject({ status: "processing", recordsTotal: 1 });
  });

  it("defers the file when the URL cannot be reached", async () => {
    const connection = await createBoundConnection();
    vi.spyOn(globalThis, "fetch").mockRejectedValue(new TypeError("fetch failed: dns"));
    const fileId = await accepted(connection);
    await deliverFiles([fileId], overUrl());
    expect(await recordOf(fileId)).toMatchObject({ status: "queued", attempts: 1 });
    expect(await stuckFileOf(fileId)).toMatchObject({ reason: "deferred", response_status: null });
  });

  it.each(["", "http://files.example.test", "not an address"])(
    "that is invalid, files wait and no attempt counts: %j",
    async (url) => {
      const fileId = await accepted(await createBoundConnection());
      const { acked } = await deliverFiles([fileId], overUrl(url));
      expect(acked).toEqual([0]);
      expect(await recordOf(fileId)).toMatchObject({ status: "queued", attempts: 0 });
      expect(await stuckFileOf(fileId)).toMatchObject({ reason: "not_configured", attempts: 0 });
    },
  );
});
