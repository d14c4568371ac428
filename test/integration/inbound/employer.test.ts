/** Which employer a report is for: the decisions as tables, the separation of owners over HTTP. */
import { describe, expect, it, vi } from "vitest";
import type { EmployerMatch } from "../../../src/db/connections.ts";
import { NOT_A_FEIN, readFein } from "../../../src/inbound/field-rules.ts";
import { connectionSenders } from "../../../src/inbound/inbound-routes.ts";
import {
  type NamedEmployer,
  namedEmployer,
  namesOnlyBound,
  resolveBound,
  resolveGranted,
} from "../../../src/inbound/resolve-employer.ts";
import { normalizeFein } from "../../../src/model.ts";
import { err, ok } from "../../../src/result.ts";
import { PAYROLL, payroll, submit, webhookPayroll } from "../../support/developer.ts";
import {
  createApiKey,
  createBoundConnection,
  createConnection,
  createEmployer,
  portal,
  post,
  report,
} from "../../support/gateway.ts";
import { expectNothingStored } from "../../support/intake.ts";

const FEIN = "123456789";
const BAD_FEIN = { employer_fein: NOT_A_FEIN };
const BAD_ID = { employer_id: "Must be 1 to 64 letters, digits, underscores or dashes" };

const named = (fein: string | null, id: string | null, warnings = {}): NamedEmployer => ({
  fein,
  id,
  warnings,
});
const known = (id: string, fein: string | null, granted = true): EmployerMatch => ({ id, fein, granted });

it.each([
  ["12-3456789", FEIN],
  ["123456789", FEIN],
  ["00-0000000", "000000000"],
  ["1-23456789", null],
  ["12--3456789", null],
  ["12 3456789", null],
  ["12-34567890", null],
  ["12\u20133456789", null],
  ["", null],
])("the portal reads the FEIN %j as %j", (text, fein) => {
  expect(normalizeFein(text)).toBe(fein);
});

it.each<[unknown]>([
  ["12-3456789"],
  ["123456789"],
  [123_456_789],
  [123_456_789.0],
  [" 12-3456789 "],
  ["12 3456789"],
  ["12\u00a0345 6789"],
  ["1-23456789"],
  ["12--3456789"],
  ["12 - 3456789"],
  ["12\u20103456789"],
  ["12\u20113456789"],
  ["12\u20133456789"],
  ["12\u20143456789"],
  ["12\u22123456789"],
  ["12\u00ad3456789"],
  ["12\uff0d3456789"],
  ["12.3456789"],
  ["EIN 12-3456789"],
  ["FEIN: 12-3456789\n"],
  ["'123456789"],
  ["#12-345-6789"],
])("senders write a FEIN as %j", (value) => {
  expect(readFein(value)).toEqual(ok(FEIN));
});

const EIGHT = "Has 8 digits: a leading zero was lost. Send all nine as a string, such as 01-2345678";

it.each<[unknown, string]>([
  ["12-345678", EIGHT],
  [12_345_678, EIGHT],
  ["EIN 1-2345678", EIGHT],
  [1, "Has 1 digit; a FEIN has nine, such as 12-3456789"],
  ["12-34567", "Has 7 digits; a FEIN has nine, such as 12-3456789"],
  ["12-34567890", "Has 10 digits; a FEIN has nine, such as 12-3456789"],
  ["12-3456789 / 98-7654321", "Has 18 digits; a FEIN has nine, such as 12-3456789"],
  ["ab-cdefghi", NOT_A_FEIN],
  ["", NOT_A_FEIN],
  ["\u0661\u0662-\u0663\u0664\u0665\u0666\u0667\u0668\u0669", NOT_A_FEIN],
  [`12-3456789${" ".repeat(64)}`, NOT_A_FEIN],
  [12_345_678.9, NOT_A_FEIN],
  [-123_456_789, NOT_A_FEIN],
  [1.234567e29, NOT_A_FEIN],
  [Number.POSITIVE_INFINITY, NOT_A_FEIN],
  [true, NOT_A_FEIN],
  [["12-3456789"], NOT_A_FEIN],
  [{}, NOT_A_FEIN],
])("%j is no FEIN: %s", (value, problem) => {
  expect(readFein(value)).toEqual(err(problem));
});

it.each<[unknown, unknown, NamedEmployer]>([
  [undefined, undefined, named(null, null)],
  [null, null, named(null, null)],
  ["12-3456789", "EMP_1", named(FEIN, "EMP_1")],
  ["123456789", undefined, named(FEIN, null)],
  [123_456_789, undefined, named(FEIN, null)],
  ["12-345678", undefined, named(null, null, { employer_fein: EIGHT })],
  ["", "", named(null, null, { ...BAD_FEIN, ...BAD_ID })],
  [undefined, "a b", named(null, null, BAD_ID)],
  [undefined, "A".repeat(64), named(null, "A".repeat(64))],
  [undefined, "A".repeat(65), named(null, null, BAD_ID)],
  [undefined, 7, named(null, null, BAD_ID)],
  [{}, [], named(null, null, { ...BAD_FEIN, ...BAD_ID })],
  ["12-3456789", "é", named(FEIN, null, BAD_ID)],
])("a body with employer_fein %j and employer_id %j names %j", (fein, id, expected) => {
  expect(namedEmployer(fein, id)).toEqual(expected);
});

it.each<[string, NamedEmployer, boolean]>([
  ["nobody", named(null, null), true],
  ["its id", named(null, "E1"), true],
  ["its FEIN", named(FEIN, null), true],
  ["both", named(FEIN, "E1"), true],
  ["another id", named(null, "E2"), false],
  ["its id in another letter case", named(null, "e1"), false],
  ["another FEIN", named("987654321", null), false],
  ["its FEIN and another id", named(FEIN, "E2"), false],
  ["its id and another FEIN", named("987654321", "E1"), false],
])("a body that names %s needs no lookup beside the bound employer: %j → %s", (_, body, is) => {
  expect(namesOnlyBound(body, { id: "E1", fein: FEIN })).toBe(is);
});

it("a body that names a FEIN needs a lookup when the bound employer has none", () => {
  expect(namesOnlyBound(named(FEIN, null), { id: "E1", fein: null })).toBe(false);
});

const bound = (warnings = {}) => ok({ employerId: "E1", warnings });
const anotherNamed = err(expect.stringContaining("names another"));
const UNKNOWN_FEIN = { employer_fein: "Unknown FEIN; the connection's employer is used" };
const UNKNOWN_ID = { employer_id: "Unknown employer; the connection's employer is used" };

it.each<[string, NamedEmployer, EmployerMatch[], object]>([
  ["nobody", named(null, null), [], bound()],
  ["the bound one", named(FEIN, "E1"), [known("E1", FEIN)], bound()],
  ["the bound one, whose grant is gone", named(FEIN, "E1"), [known("E1", FEIN, false)], bound()],
  ["an unknown FEIN", named("987654321", null), [], bound(UNKNOWN_FEIN)],
  ["an unknown id", named(null, "E9"), [], bound(UNKNOWN_ID)],
  ["two unknown ones", named("987654321", "E9"), [], bound({ ...UNKNOWN_FEIN, ...UNKNOWN_ID })],
  ["the bound id and an unknown FEIN", named("987654321", "E1"), [known("E1", FEIN)], bound(UNKNOWN_FEIN)],
  ["the bound FEIN and an unknown id", named(FEIN, "E9"), [known("E1", FEIN)], bound(UNKNOWN_ID)],
  ["a malformed FEIN", named(null, null, BAD_FEIN), [], bound(BAD_FEIN)],
  ["another known one by FEIN", named("987654321", null), [known("E2", "987654321")], anotherNamed],
  ["another known one by id", named(null, "E2"), [known("E2", null)], anotherNamed],
  ["another owner's", named(null, "E2"), [known("E2", null, false)], anotherNamed],
  ["the bound one and another", named(FEIN, "E2"), [known("E1", FEIN), known("E2", null)], anotherNamed],
])("a bound connection whose body names %s", (_, body, matches, expected) => {
  expect(resolveBound(body, "E1", matches)).toEqual(expected);
});

const nobodyNamed = err(expect.stringContaining("name one in employer_fein or employer_id"));
const twoNamed = err(expect.stringContaining("two different employers"));
const notGranted = err(expect.stringContaining("is granted to this connection's owner"));

it.each<[string, NamedEmployer, EmployerMatch[], object]>([
  ["nobody", named(null, null), [], nobodyNamed],
  [
    "nobody well-formed",
    named(null, null, { employer_fein: EIGHT }),
    [],
    err(expect.stringMatching(/name one in employer_fein or employer_id\. employer_fein: Has 8 digits/)),
  ],
  ["nobody known", named(FEIN, "E1"), [], notGranted],
  ["one that is granted to somebody else", named(FEIN, null), [known("E1", FEIN, false)], notGranted],
  ["a granted one by FEIN", named(FEIN, null), [known("E1", FEIN)], bound()],
  ["a granted one by id", named(null, "E1"), [known("E1", null)], bound()],
  ["a granted one by both", named(FEIN, "E1"), [known("E1", FEIN)], bound()],
  [
    "a granted one by id, with a malformed FEIN",
    named(null, "E1", BAD_FEIN),
    [known("E1", FEIN)],
    bound(BAD_FEIN),
  ],
  ["a granted one by id, with an unknown FEIN", named("987654321", "E1"), [known("E1", FEIN)], twoNamed],
  [
    "a granted one by id, with the FEIN of one that is granted to somebody else",
    named("987654321", "E1"),
    [known("E1", FEIN), known("E2", "987654321", false)],
    twoNamed,
  ],
  [
    "a granted one by id, of which no FEIN is known, with an unknown one",
    named("987654321", "E1"),
    [known("E1", null)],
    bound({ employer_fein: "Not compared: no FEIN is known for the employer in employer_id" }),
  ],
  [
    "a granted one by id, of which no FEIN is known, with the FEIN of one that is granted to somebody else",
    named("987654321", "E1"),
    [known("E1", null), known("E2", "987654321", false)],
    twoNamed,
  ],
  [
    "a granted one by FEIN, with the id of one that is granted to somebody else",
    named(FEIN, "E9"),
    [known("E1", FEIN), known("E9", null, false)],
    bound({ employer_id: "Unknown employer; the employer in employer_fein is used" }),
  ],
  [
    "a granted one by FEIN, with an unknown id",
    named(FEIN, "E9"),
    [known("E1", FEIN)],
    bound({ employer_id: "Unknown employer; the employer in employer_fein is used" }),
  ],
  [
    "two granted ones",
    named(FEIN, "E2"),
    [known("E1", FEIN), known("E2", null)],
    err(expect.stringContaining("two different employers")),
  ],
])("an unbound connection whose body names %s", (_, body, matches, expected) => {
  expect(resolveGranted(body, matches)).toEqual(expected);
});

const STRANGER = [{ owner_type: "payroll_company", owner_id: "stranger" }];
const UNRESOLVED = { error: "Could not resolve employer", code: "EMPLOYER_NOT_RESOLVED" };

describe("a bound connection", () => {
  it.each(["employer_id", "employer_fein"] as const)(
    "refuses a body that names another employer by %s, of whichever owner",
    async (field) => {
      const connection = await createBoundConnection();
      for (const other of [await createEmployer(), await createEmployer(STRANGER)]) {
        const name = field === "employer_id" ? other.id : other.fein;
        const answer = await post(connection, report({ [field]: name }));
        expect(answer.status).toBe(404);
        expect(answer.json).toMatchObject(UNRESOLVED);
      }
      await expectNothingStored(connection);
    },
  );

  it("accepts an unknown FEIN for its own employer, with a warning", async () => {
    const connection = await createBoundConnection();
    const answer = await post(connection, report({ employer_fein: "00-0000001" }));
    expect(answer.status).toBe(202);
    expect(answer.json).toMatchObject({ employer_id: connection.employerId, warnings: UNKNOWN_FEIN });
  });

  it("accepts its own FEIN without the dash, without a warning", async () => {
    const connection = await createBoundConnection();
    const answer = await post(connection, report({ employer_fein: connection.fein.replace("-", "") }));
    expect(answer.json).toMatchObject({ employer_id: connection.employerId, warnings: {} });
  });

  it("is refused once its owner's grant is withdrawn, and accepted again once it is restored", async () => {
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() });
    const employer = await createEmployer();
    const connection = await createConnection({ employer_id: employer.id });
    const put = (owners: object[]) =>
      portal("PUT", `/employers/${employer.id}`, {
        fein: employer.fein,
        name: "Test Employer",
        owners,
        force: true,
      });
    expect((await post(connection)).status).toBe(202);
    await put([]);
    vi.setSystemTime(Date.now() + 60_000);
    for (const body of [report(), report({ employer_id: employer.id })]) {
      const answer = await post(connection, body);
      expect(answer).toMatchObject({ status: 404, json: UNRESOLVED });
      expect(answer.json.message).toContain("may no longer report for the employer");
    }
    await put([{ owner_type: "payroll_company", owner_id: "acme" }]);
    expect((await post(connection)).status).toBe(202);
    vi.useRealTimers();
  });

  it("accepts its own FEIN as an integer, and warns of one that lost its leading zero", async () => {
    const connection = await createBoundConnection();
    const digits = Number(connection.fein.replace("-", ""));
    const own = await post(connection, report({ employer_fein: digits }));
    expect(own.json).toMatchObject({ employer_id: connection.employerId, warnings: {} });
    const lost = await post(connection, report({ employer_fein: 12_345_678 }));
    expect(lost).toMatchObject({ status: 202, json: { warnings: { employer_fein: EIGHT } } });
  });
});

describe("an unbound connection", () => {
  it.each(["employer_id", "employer_fein"] as const)("resolves a granted employer by %s", async (field) => {
    const employer = await createEmployer();
    const connection = await createConnection();
    const answer = await post(
      connection,
      report({ [field]: field === "employer_id" ? employer.id : employer.fein }),
    );
    expect(answer.status).toBe(202);
    expect(answer.json.employer_id).toBe(employer.id);
  });

  it.each([
    ["is unknown", async () => "00-0000001"],
    ["is that of another granted employer", async () => (await createEmployer()).fein],
    ["is that of an employer of others", async () => (await createEmployer(STRANGER)).fein],
  ])("is refused if it names an employer by id and a FEIN that %s", async (_what, feinOf) => {
    const employer = await createEmployer();
    const fein = await feinOf();
    const connection = await createConnection();
    const answer = await post(connection, report({ employer_id: employer.id, employer_fein: fein }));
    expect(answer).toMatchObject({ status: 404, json: UNRESOLVED });
    expect(answer.json.message).toContain("two different employers");
    const { token } = await createApiKey();
    const bearer = payroll({ employerId: employer.id }, { employer_fein: fein });
    expect(await submit({ token }, PAYROLL, bearer)).toMatchObject({ status: 404, json: UNRESOLVED });
    await expectNothingStored(connection);
  });

  it("resolves a FEIN in any form, and says what is wrong with a malformed one", async () => {
    const { id, fein } = await createEmployer();
    const connection = await createConnection();
    for (const written of [Number(fein.replace("-", "")), ` EIN ${fein.replace("-", "\u2013")} `]) {
      const answer = await post(connection, report({ employer_fein: written }));
      expect(answer).toMatchObject({ status: 202, json: { employer_id: id, warnings: {} } });
    }
    const lost = await post(connection, report({ employer_fein: fein.slice(1) }));
    expect(lost).toMatchObject({ status: 404, json: UNRESOLVED });
    expect(lost.json.message).toContain("a leading zero was lost");
    const { token } = await createApiKey();
    const bearer = webhookPayroll({ fein: fein.slice(1) });
    expect(await submit({ token }, PAYROLL, bearer)).toMatchObject({
      status: 400,
      json: { error: "Validation Error", details: { employer_fein: EIGHT } },
    });
  });

  it("answers for another owner's employer exactly as for one that does not exist", async () => {
    const connection = await createConnection();
    const strange = await createEmployer(STRANGER);
    const anothers = await createEmployer([{ owner_type: "employer", owner_id: "acme" }]);
    const fields = ["error", "code", "message", "details"] as const;
    const answers = [];
    for (const employer_id of [strange.id, anothers.id, "EMP_nobody"]) {
      const answer = await post(connection, report({ employer_id }));
      expect(answer.status).toBe(404);
      answers.push(fields.map((field) => answer.json[field]));
    }
    expect(answers[1]).toEqual(answers[0]);
    expect(answers[2]).toEqual(answers[0]);
    await expectNothingStored(connection);
  });

  it("may use an employer that was granted a moment ago, although it was refused before", async () => {
    const connection = await createConnection();
    const employer = await createEmployer(STRANGER);
    const body = () => report({ employer_fein: employer.fein });
    expect((await post(connection, body())).status).toBe(404);
    expect((await post(connection, body())).status).toBe(404);
    const owners = [...STRANGER, { owner_type: "payroll_company", owner_id: "acme" }];
    await portal("PUT", `/employers/${employer.id}`, { fein: employer.fein, name: "Test Employer", owners });
    expect((await post(connection, body())).status).toBe(202);
  });

  it("may use an employer that was created a moment ago, although it was unknown before", async () => {
    const connection = await createConnection();
    const id = `EMP_new_${Date.now()}`;
    expect((await post(connection, report({ employer_id: id }))).status).toBe(404);
    const owners = [{ owner_type: "payroll_company", owner_id: "acme" }];
    await portal("PUT", `/employers/${id}`, { name: "New Employer", owners });
    expect((await post(connection, report({ employer_id: id }))).status).toBe(202);
  });

  it("is refused again by an isolate that has no grant cached, once the grant is gone", async () => {
    const connection = await createConnection();
    const employer = await createEmployer();
    expect((await post(connection, report({ employer_id: employer.id }))).status).toBe(202);
    await portal("PUT", `/employers/${employer.id}`, {
      fein: employer.fein,
      name: "Test Employer",
      owners: [],
    });
    connectionSenders.clear();
    expect((await post(connection, report({ employer_id: employer.id }))).status).toBe(404);
  });
});

it("a report that is refused for its employer counts for the rate, and is accepted unchanged once the employer is granted", async () => {
  const connection = await createConnection();
  const employer = await createEmployer([]);
  const body = report({ employer_id: employer.id });
  const timestamp = String(Date.now());
  const refused = await post(connection, body, { timestamp });
  expect([refused.status, refused.headers.get("X-RateLimit-Remaining")]).toEqual([404, "499"]);
  const owners = [{ owner_type: "payroll_company", owner_id: "acme" }];
  await portal("PUT", `/employers/${employer.id}`, { name: "Test Employer", owners });
  const accepted = await post(connection, body, { timestamp });
  expect(accepted.json).toMatchObject({ duplicate: false, employer_id: employer.id });
  expect([accepted.status, accepted.headers.get("X-RateLimit-Remaining")]).toEqual([202, "498"]);
});
