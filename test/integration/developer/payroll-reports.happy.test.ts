import { createExecutionContext, waitOnExecutionContext } from "cloudflare:test";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { keySenders } from "../../../src/developer/key-sender.ts";
import { LONE_SURROGATE, STANDS_TWICE } from "../../../src/inbound/streaming-json.ts";
import { PARSE_UP_TO_BYTES } from "../../../src/inbound/validate-body.ts";
import worker from "../../../src/index.ts";
import {
  createDeveloper,
  type Developer,
  EMPLOYEES,
  employee,
  PAYROLL,
  payroll,
  submission,
  submit,
  webhookPayroll,
} from "../../support/developer.ts";
import {
  BASE,
  bindings,
  createApiKey,
  fileStatus,
  filesCreator,
  gateOf,
  type Json,
} from "../../support/gateway.ts";
import { intercepted, outage, watched, without } from "../../support/interception.ts";

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() });
});
afterEach(() => {
  vi.useRealTimers();
});

/** The calls begun before the response, and all of them. */
async function callsOf({ token }: Developer, body: Json) {
  const { calls, using } = watched();
  const request = new Request(`${BASE}/api/v1${PAYROLL}`, submission(token, body));
  const ctx = createExecutionContext();
  const response = await worker.fetch(request as Parameters<typeof worker.fetch>[0], using, ctx);
  const before = [...calls];
  await response.arrayBuffer();
  await waitOnExecutionContext(ctx);
  return { status: response.status, before, calls };
}

describe("a payroll report under a bearer key", () => {
  it("is accepted as an inbound one is: 202, with its file, its place and the rate", async () => {
    const key = await createDeveloper();
    const answer = await submit(key, PAYROLL, payroll(key), { "X-Request-Id": "req-1" });
    expect(answer).toMatchObject({
      status: 202,
      json: {
        success: true,
        status: "queued",
        api_key_id: key.id,
        employer_id: key.employerId,
        duplicate: false,
        warnings: {},
      },
    });
    expect(Object.keys(answer.json).sort()).toEqual([
      "api_key_id",
      "duplicate",
      "employer_id",
      "file_id",
      "received_at",
      "status",
      "success",
      "warnings",
    ]);
    expect(answer.headers.get("Location")).toBe(`/api/v1/files/status/${answer.json.file_id}`);
    expect(answer.headers.get("X-RateLimit-Limit")).toBe("500");
    expect(answer.headers.get("X-RateLimit-Remaining")).toBe("499");
    expect(answer.headers.get("X-Request-Id")).toBe("req-1");
  });

  it("reaches the files-creator byte for byte, with its kind and its owner", async () => {
    const key = await createDeveloper({ environment: "sandbox" });
    const text = `${JSON.stringify(payroll(key), null, 3)}\n  `.replace(
      "{",
      '{ "unknown" : [1e2,{"x":"é\\u00e9"}],',
    );
    const { json } = await submit(key, PAYROLL, text, { "Content-Type": "application/json; charset=utf-8" });
    await vi.waitFor(
      async () => expect(await filesCreator.receivedFile(json.file_id)).toHaveLength(1),
      5_000,
    );
    const [file] = await filesCreator.receivedFile(json.file_id);
    expect(file?.text).toBe(text);
    expect(file?.headers).toMatchObject({
      "x-audit1-kind": "payroll_report",
      "x-audit1-api-key-id": key.id,
      "x-audit1-employer-id": key.employerId,
      "x-audit1-environment": "sandbox",
      "content-type": "application/json",
      "x-audit1-content-type": "application/json; charset=utf-8",
      "idempotency-key": json.file_id,
    });
    expect(file?.headers).not.toHaveProperty("x-audit1-connection-id");
    expect(file?.headers).not.toHaveProperty("authorization");
  });

  it("may be in the dialect of the webhooks, which names the employer by its FEIN", async () => {
    const key = await createDeveloper();
    for (const fein of [key.fein, key.fein.replace("-", "")]) {
      const answer = await submit(key, PAYROLL, webhookPayroll({ fein }));
      expect(answer).toMatchObject({ status: 202, json: { employer_id: key.employerId, warnings: {} } });
    }
  });

  it("may report zero wages and hours", async () => {
    const key = await createDeveloper();
    const nothing = payroll(key, {
      employees: [employee({ hours_worked: 0, gross_wages: 0 })],
      payroll_data: { total_payroll: 0 },
    });
    expect((await submit(key, PAYROLL, nothing)).status).toBe(202);
  });

  it("may be for a single day", async () => {
    const key = await createDeveloper();
    const day = { period_start: "2024-02-29", period_end: "2024-02-29" };
    expect((await submit(key, PAYROLL, payroll(key, day))).status).toBe(202);
  });

  it("of megabytes is read without being built, and is in the archive from the start", async () => {
    const key = await createDeveloper();
    const employees = Array.from({ length: 30_000 }, (_, i) => employee({ employee_id: `EE_${i}` }));
    const body = payroll(key, { employees });
    expect((await submit(key, PAYROLL, body)).status).toBe(202);
    expect((await callsOf(key, { ...body, note: "again" })).before).toEqual([
      "CONNECTION_GATE.admit",
      "ARCHIVE.put",
      "CONNECTION_GATE.commit",
    ]);
  });

  it("can be looked up at once, by every key of its owner and environment", async () => {
    const key = await createDeveloper();
    const other = await createDeveloper();
    const { json } = await submit(key, PAYROLL, payroll(key));
    for (const { token } of [key, other]) {
      const status = await fileStatus(token, json.file_id);
      expect(status).toMatchObject({
        status: 200,
        json: { file_id: json.file_id, kind: "payroll_report", api_key_id: key.id },
      });
    }
  });

  it("waits for the files-creator if the caller prefers to", async () => {
    const key = await createDeveloper();
    const answer = await submit(key, PAYROLL, payroll(key), { Prefer: "wait=10" });
    expect(answer).toMatchObject({ status: 200, json: { status: "processing" } });
    expect(answer.headers.get("Preference-Applied")).toBe("wait=10");
  });
});

describe("the same report again", () => {
  it("without an Idempotency-Key is the first file for ten minutes, at no cost", async () => {
    const key = await createDeveloper();
    const body = payroll(key);
    const first = await submit(key, PAYROLL, body);
    expect(first.json).toMatchObject({ duplicate: false });
    vi.setSystemTime(Date.now() + 30_000);
    const second = await submit(key, PAYROLL, body);
    expect(second).toMatchObject({ status: 202, json: { file_id: first.json.file_id, duplicate: true } });
    expect(await gateOf(key, "key").list(null, 10)).toHaveLength(1);
    const other = await submit(key, PAYROLL, payroll(key));
    expect(other.headers.get("X-RateLimit-Remaining")).toBe("498");
    vi.setSystemTime(Date.now() + 569_000);
    expect((await submit(key, PAYROLL, body)).json).toMatchObject({ duplicate: true });
    vi.setSystemTime(Date.now() + 1_000);
    const later = await submit(key, PAYROLL, body);
    expect(later).toMatchObject({ status: 202, json: { duplicate: false } });
    expect(later.json.warnings.body).toContain(first.json.file_id);
  });

  it("at the same time without an Idempotency-Key is one file, small or large", async () => {
    const key = await createDeveloper();
    for (const note of ["", "x".repeat(100_000)]) {
      const body = payroll(key, { note });
      const answers = await Promise.all([1, 2, 3, 4].map(() => submit(key, PAYROLL, body)));
      expect(answers.map(({ status }) => status)).toEqual([202, 202, 202, 202]);
      expect(new Set(answers.map(({ json }) => json.file_id)).size).toBe(1);
    }
  });

  it("of another key, or under an Idempotency-Key of its own, is another file", async () => {
    const key = await createDeveloper();
    const another = { ...(await createApiKey()), employerId: key.employerId };
    const body = payroll(key);
    const answers = [
      await submit(key, PAYROLL, body),
      await submit(another, PAYROLL, body),
      await submit(key, PAYROLL, body, { "Idempotency-Key": "once more" }),
    ];
    expect(answers.map(({ json }) => json.duplicate)).toEqual([false, false, false]);
  });

  it("that is both a payroll report and employee changes is one file of each", async () => {
    const key = await createDeveloper();
    const both = payroll(key, { employees: [{ ...employee(), action: "update" }] });
    for (const path of [PAYROLL, EMPLOYEES, EMPLOYEES].entries()) {
      const answer = await submit(key, path[1], both);
      expect(answer).toMatchObject({ status: 202, json: { duplicate: path[0] === 2 } });
    }
  });

  it("that another parser could read differently is accepted unchanged, with a warning", async () => {
    const key = await createDeveloper();
    const text = JSON.stringify(payroll(key)).replace("{", '{"note":"\\ud83d","memo":1,"memo":"\\u0000",');
    for (const body of [text, text + " ".repeat(PARSE_UP_TO_BYTES)]) {
      const { status, json } = await submit(key, PAYROLL, body);
      expect([status, json.warnings]).toEqual([202, { note: LONE_SURROGATE, memo: STANDS_TWICE }]);
    }
  });

  it("with an Idempotency-Key is the first file, for a day, at no cost", async () => {
    const key = await createDeveloper();
    const body = payroll(key);
    const again = () => submit(key, PAYROLL, body, { "Idempotency-Key": "report-1" });
    const first = await again();
    const second = await again();
    expect(second).toMatchObject({ status: 202, json: { file_id: first.json.file_id, duplicate: true } });
    expect(second.headers.get("X-RateLimit-Remaining")).toBe("499");
    vi.setSystemTime(Date.now() + 86_400_001);
    expect((await again()).json).toMatchObject({ duplicate: false });
  });

  it("at the same time under one Idempotency-Key is one file", async () => {
    const key = await createDeveloper();
    const body = payroll(key);
    const answers = await Promise.all(
      Array.from({ length: 8 }, () => submit(key, PAYROLL, body, { "Idempotency-Key": "k" })),
    );
    expect(new Set(answers.map(({ json }) => json.file_id)).size).toBe(1);
    expect(answers.filter(({ json }) => !json.duplicate)).toHaveLength(1);
  });

  it("by the Worker itself, when the gate's answer was lost, is still one file", async () => {
    const key = await createDeveloper();
    await submit(key, PAYROLL, payroll(key));
    let calls = 0;
    const losing = intercepted(async (call, proceed) => {
      const answer = await proceed();
      if (call === "CONNECTION_GATE.admit" && calls++ === 0) throw outage("the answer is lost: injected");
      return answer;
    });
    const answer = await submit(key, PAYROLL, payroll(key), {}, losing);
    expect(answer).toMatchObject({ status: 202, json: { duplicate: false, warnings: {} } });
    expect(calls).toBe(2);
    expect(await gateOf(key, "key").list(null, 10)).toHaveLength(2);
  });
});

describe("an accepted report costs", () => {
  it("one call when key and employer are known, and the wake-up after the answer", async () => {
    const key = await createDeveloper();
    await submit(key, PAYROLL, payroll(key));
    const { status, before, calls } = await callsOf(key, payroll(key));
    expect(status).toBe(202);
    expect(before).toEqual(["CONNECTION_GATE.admit"]);
    expect(calls).toEqual(["CONNECTION_GATE.admit", "FILES.sendBatch"]);
  });

  it("one read more for the key and one for the employer when they are not known", async () => {
    const key = await createDeveloper();
    const { before } = await callsOf(key, payroll(key));
    // The note of the use may have begun by then; nobody waits for it.
    expect(before.filter((call) => call !== "DB.run")).toEqual(["DB.all", "DB.all", "CONNECTION_GATE.admit"]);
  });

  it("one write to the database an hour, beside the answer: when the key was last used", async () => {
    const key = await createDeveloper();
    const writes = async () =>
      (await callsOf(key, payroll(key))).calls.filter((call) => call === "DB.run").length;
    const lastUse = async () =>
      (
        await bindings.DB.prepare("SELECT last_used_at FROM api_keys WHERE id = ?")
          .bind(key.id)
          .first<{ last_used_at: number | null }>()
      )?.last_used_at;
    expect(await lastUse()).toBeNull();
    const first = Date.now();
    expect(await writes()).toBe(1);
    expect(await lastUse()).toBe(first);
    vi.setSystemTime(first + 1_800_000);
    expect(await writes()).toBe(0);
    vi.setSystemTime(first + 3_600_000);
    expect(await writes()).toBe(1);
    expect(await lastUse()).toBe(first + 3_600_000);
  });
});

describe("with the database unavailable", () => {
  it("a cached key is served, and its use is not recorded, without harm", async () => {
    const key = await createDeveloper();
    await submit(key, PAYROLL, payroll(key));
    vi.setSystemTime(Date.now() + 3_600_000);
    expect((await submit(key, PAYROLL, payroll(key), {}, without("DB"))).status).toBe(202);
  });

  it("an uncached key is asked to repeat", async () => {
    const key = await createDeveloper();
    keySenders.clear();
    const answer = await submit(key, PAYROLL, payroll(key), {}, without("DB"));
    expect(answer.status).toBe(503);
    expect(answer.headers.get("Retry-After")).toBe("1");
  });
});
