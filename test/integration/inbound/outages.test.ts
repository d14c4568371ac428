/** Bindings that are unavailable: a report is accepted when it is stored, refused with 503 when that is unknown, and never becomes two files. */
import { afterEach, describe, expect, it, vi } from "vitest";
import { connectionSenders } from "../../../src/inbound/inbound-routes.ts";
import {
  createBoundConnection,
  createConnection,
  createEmployer,
  filesCreator,
  inboundPath,
  post,
  report,
  send,
  signedRequest,
} from "../../support/gateway.ts";
import {
  afterAMinute,
  expectNothingStored,
  expectUnavailable,
  filesOf,
  rateHeadersOf,
} from "../../support/intake.ts";
import { intercepted, outage, without } from "../../support/interception.ts";

afterEach(() => {
  vi.useRealTimers();
});

describe("with the database unavailable", () => {
  it("a cached connection is served, even when its row has expired", async () => {
    const connection = await createBoundConnection();
    await post(connection);
    expect((await post(connection, report(), {}, without("DB"))).status).toBe(202);
    afterAMinute();
    expect((await post(connection, report(), {}, without("DB"))).status).toBe(202);
    expect(await filesOf(connection)).toHaveLength(3);
  });

  it("an unknown connection is answered 503, and the same request succeeds afterwards", async () => {
    const connection = await createBoundConnection();
    connectionSenders.clear();
    const request = await signedRequest(connection);
    expectUnavailable(await send(inboundPath(connection), request, without("DB")));
    await expectNothingStored(connection);
    expect((await send(inboundPath(connection), request)).status).toBe(202);
  });

  it.each([
    { what: "a wrong signature", spoil: { secret: "another" } },
    { what: "an unknown id", spoil: { id: "b".repeat(24) } },
  ])("nothing is refused for good without the database: $what is answered 503", async ({ spoil }) => {
    const connection = await createBoundConnection();
    await post(connection);
    expectUnavailable(await post({ ...connection, ...spoil }, report(), {}, without("DB")));
  });

  it("a report whose employer must be looked up is answered 503, and succeeds afterwards", async () => {
    const employer = await createEmployer();
    const connection = await createConnection();
    await post(connection, "{}");
    const request = await signedRequest(connection, report({ employer_fein: employer.fein }));
    expectUnavailable(await send(inboundPath(connection), request, without("DB")));
    await expectNothingStored(connection);
    expect((await send(inboundPath(connection), request)).status).toBe(202);
  });
});

describe("with the gate unavailable", () => {
  it("for one call, the report is accepted as one file", async () => {
    const connection = await createBoundConnection();
    const answer = await post(connection, report(), {}, without("CONNECTION_GATE", 1));
    expect(answer.json).toMatchObject({ status: "queued", duplicate: false });
    expect(answer.status).toBe(202);
    expect(await filesOf(connection)).toEqual([answer.json.file_id]);
  });

  it("and its answer lost, the report is accepted as one file: the repeated call finds its own row", async () => {
    const connection = await createBoundConnection();
    let lost = 0;
    const using = intercepted(async (call, proceed) => {
      const answer = await proceed();
      if (call === "CONNECTION_GATE.admit" && lost++ === 0) throw outage("the answer was lost: injected");
      return answer;
    });
    const answer = await post(connection, report(), {}, using);
    expect([answer.status, answer.json.duplicate]).toEqual([202, false]);
    expect(answer.headers.get("X-RateLimit-Remaining")).toBe("499");
    expect(await filesOf(connection)).toEqual([answer.json.file_id]);
  });

  it("and both answers lost, the report is answered 503, and the repeated request finds the one file", async () => {
    const connection = await createBoundConnection();
    const using = intercepted(async (call, proceed) => {
      const answer = await proceed();
      if (call === "CONNECTION_GATE.admit") throw outage("the answer was lost: injected");
      return answer;
    });
    const request = await signedRequest(connection);
    expectUnavailable(await send(inboundPath(connection), request, using));
    const files = await filesOf(connection);
    expect(files).toHaveLength(1);
    const again = await send(inboundPath(connection), request);
    expect(again.json).toMatchObject({ file_id: files[0], duplicate: true });
    expect(await filesOf(connection)).toEqual(files);
  });

  it("and its answer lost while the signature expires, the report is answered 503: it may be stored", async () => {
    const connection = await createBoundConnection();
    let lost = 0;
    const using = intercepted(async (call, proceed) => {
      const answer = await proceed();
      if (call !== "CONNECTION_GATE.admit" || lost++ > 0) return answer;
      vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 301_000 });
      throw outage("the answer was lost: injected");
    });
    expectUnavailable(await post(connection, report(), {}, using));
    expect(await filesOf(connection)).toHaveLength(1);
  });

  it("for good, the report is answered 503 and nothing is stored", async () => {
    const connection = await createBoundConnection();
    expectUnavailable(await post(connection, report(), {}, without("CONNECTION_GATE")));
    await expectNothingStored(connection);
  });

  it("a refusal stays the same, without rate headers", async () => {
    const connection = await createBoundConnection();
    const answer = await post(connection, "{}", {}, without("CONNECTION_GATE"));
    expect(answer.json.error).toBe("Missing or empty employees array");
    expect(rateHeadersOf(answer)).toEqual([null, null, null]);
  });

  it("waiting for an answer is cut short: the report is accepted all the same", async () => {
    const connection = await createBoundConnection();
    const headers = { Prefer: "wait=5" };
    const answer = await post(connection, report(), { headers }, without("CONNECTION_GATE.wait"));
    expect([answer.status, answer.json.status]).toEqual([202, "queued"]);
  });
});

describe("with the archive unavailable", () => {
  const LARGE = "x".repeat(100_000);

  it("a large report is answered 503, and the same request then makes one file that arrives whole", async () => {
    const connection = await createBoundConnection();
    const request = await signedRequest(connection, report({ note: LARGE }));
    expectUnavailable(await send(inboundPath(connection), request, without("ARCHIVE")));
    await expectNothingStored(connection);
    const answer = await send(inboundPath(connection), request);
    expect(answer.status).toBe(202);
    const again = await send(inboundPath(connection), request);
    expect(again.json).toMatchObject({ file_id: answer.json.file_id, duplicate: true });
    expect(await filesOf(connection)).toEqual([answer.json.file_id]);
    await vi.waitFor(
      async () => expect(await filesCreator.receivedFile(answer.json.file_id)).toHaveLength(1),
      { timeout: 5_000 },
    );
    const [file] = await filesCreator.receivedFile(answer.json.file_id);
    expect(file?.size).toBe(String(request.body).length);
  });

  it("a caller who repeats a large report and waits gets the answer of the files-creator", async () => {
    const connection = await createBoundConnection();
    const request = await signedRequest(connection, report({ note: LARGE }), {
      headers: { Prefer: "wait=5" },
    });
    expectUnavailable(await send(inboundPath(connection), request, without("ARCHIVE")));
    const answer = await send(inboundPath(connection), request);
    expect([answer.status, answer.json.status]).toEqual([200, "processing"]);
  });

  it("for good, a large report leaves nothing but an invisible reservation", async () => {
    const connection = await createBoundConnection();
    const request = await signedRequest(connection, report({ note: LARGE }));
    for (let i = 0; i < 3; i++) {
      expectUnavailable(await send(inboundPath(connection), request, without("ARCHIVE")));
    }
    await expectNothingStored(connection);
    expect((await post(connection)).headers.get("X-RateLimit-Remaining")).toBe("498");
  });

  it("small reports are accepted", async () => {
    const connection = await createBoundConnection();
    expect((await post(connection, report(), {}, without("ARCHIVE"))).status).toBe(202);
  });

  it("or the commit's answer lost, a large report is one file", async () => {
    const connection = await createBoundConnection();
    let lost = 0;
    const using = intercepted(async (call, proceed) => {
      const answer = await proceed();
      if (call === "CONNECTION_GATE.commit" && lost++ === 0) throw outage("the answer was lost: injected");
      return answer;
    });
    const answer = await post(connection, report({ note: LARGE }), {}, using);
    expect(answer.status).toBe(202);
    expect(await filesOf(connection)).toEqual([answer.json.file_id]);
  });
});

describe("with the queue or the limiter unavailable", () => {
  it.each(["FILES", "REFUSALS"])("a report is accepted: %s", async (binding) => {
    const connection = await createBoundConnection();
    expect((await post(connection, report(), {}, without(binding))).status).toBe(202);
    expect(await filesOf(connection)).toHaveLength(1);
  });

  it("refusals stay the same", async () => {
    const connection = await createBoundConnection();
    const answer = await post({ ...connection, secret: "another" }, report(), {}, without("REFUSALS"));
    expect(answer.status).toBe(401);
  });
});
