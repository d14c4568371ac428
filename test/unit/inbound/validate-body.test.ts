/**
 * Small bodies are parsed at once, large ones are streamed. Both must judge a document alike, so each document is
 * validated twice: as it is, and padded beyond the limit with an unknown field.
 */
import { describe, expect, it } from "vitest";
import { utf8 } from "../../../src/crypto/encoding.ts";
import { namedEmployer } from "../../../src/inbound/resolve-employer.ts";
import {
  MAX_DEPTH,
  MAX_EMPLOYEES,
  PARSE_UP_TO_BYTES,
  validateBody,
} from "../../../src/inbound/validate-body.ts";

const PADDING = "p".repeat(PARSE_UP_TO_BYTES);

type Bytes = Uint8Array<ArrayBuffer>;
type Verdict = "accepted" | "invalid_json" | "no_employees";

function join(...parts: (string | Bytes)[]): Bytes {
  const all = parts.map((part) => (typeof part === "string" ? utf8(part) : part));
  const bytes = new Uint8Array(all.reduce((sum, part) => sum + part.byteLength, 0));
  let at = 0;
  for (const part of all) {
    bytes.set(part, at);
    at += part.byteLength;
  }
  return bytes;
}

/** Documents that are longer in a way that changes nothing: an unknown first or last member, or white space around. */
function paddings(document: Bytes): { where: string; bytes: Bytes }[] {
  const padded = [
    { where: "white space around it", bytes: join(" ".repeat(PARSE_UP_TO_BYTES), document, "\n\t\r ") },
  ];
  const [first, last] = [document.indexOf(0x7b), document.lastIndexOf(0x7d)];
  const blank = new TextDecoder().decode(document.slice(0, Math.max(first, 0))).trim() === "";
  if (first < 0 || !blank || document.indexOf(0x22) < 0) return padded;
  padded.push({
    where: "an unknown first member",
    bytes: join(document.slice(0, first + 1), `"zz_padding":"${PADDING}",`, document.slice(first + 1)),
  });
  if (last === document.byteLength - 1) {
    padded.push({
      where: "an unknown last member",
      bytes: join(document.slice(0, last), `,"zz_padding":"${PADDING}"}`),
    });
  }
  return padded;
}

function verdictOf(bytes: Uint8Array) {
  const validated = validateBody(bytes);
  if (!validated.ok) return { failure: validated.error.kind };
  const { employees, employerFein, employerId, warnings } = validated.value;
  return { employees, named: namedEmployer(employerFein, employerId), warnings };
}

const nested = (depth: number) => `${"[".repeat(depth)}${"]".repeat(depth)}`;
const nestedObjects = (depth: number) => `${'{"a":'.repeat(depth)}1${"}".repeat(depth)}`;
const bytes = (...values: number[]) => new Uint8Array(values);
const EMPLOYEE =
  '{"first_name":"John","last_name":"Doe","class_code":"8810","state":"CA","gross_wages":5000,"hours_worked":80}';
const GOOD = `"policy_number":"WC1","pay_period":{"start_date":"2026-03-01","end_date":"2026-03-15"}`;

/** What is only found when it is written into an otherwise good report. */
const inReport = (member: string) => `{"employees":[${EMPLOYEE}],${GOOD},${member}}`;
const inEmployee = (members: string) => `{${GOOD},"employees":[{${members}}]}`;

const DOCUMENTS: [string, string | Bytes, Verdict][] = [
  ["a good report", `{${GOOD},"employees":[${EMPLOYEE}]}`, "accepted"],
  ["white space everywhere", ` \t\r\n{ "employees" :\n[ { } , { } ]\t, "a" : [ 1 , 2 ] } \r\n`, "accepted"],
  ["no white space at all", '{"employees":[{}]}', "accepted"],
  ["a form feed for white space", '{"employees":\f[{}]}', "invalid_json"],
  ["a no-break space for white space", '{"employees":\u00a0[{}]}', "invalid_json"],
  ["a byte order mark within", '{"employees":\ufeff[{}]}', "invalid_json"],
  ["a NUL at its end", '{"employees":[{}]}\u0000', "invalid_json"],
  // Top level.
  ["an array at the top", `[{"employees":[${EMPLOYEE}]}]`, "invalid_json"],
  ["a string at the top", '"employees"', "invalid_json"],
  ["a number at the top", "5", "invalid_json"],
  ["null at the top", "null", "invalid_json"],
  ["true at the top", "true", "invalid_json"],
  ["nothing", "", "invalid_json"],
  ["an empty object", "{}", "no_employees"],
  ["two objects", '{"employees":[{}]}{"employees":[{}]}', "invalid_json"],
  ["a comma after the object", '{"employees":[{}]},', "invalid_json"],
  ["a bracket too many", '{"employees":[{}]}}', "invalid_json"],
  ["a scalar after the object", '{"employees":[{}]} 1', "invalid_json"],
  ["half a word after the object", '{"employees":[{}]} tru', "invalid_json"],
  ["a quote after the object", '{"employees":[{}]}"', "invalid_json"],
  ["an open string after the object", '{"employees":[{}]} "more', "invalid_json"],
  ["an open escape after the object", '{"employees":[{}]} "\\', "invalid_json"],
  ["a minus after the object", '{"employees":[{}]} -', "invalid_json"],
  // Broken grammar.
  ["an object that is not closed", '{"employees":[{}]', "invalid_json"],
  ["an array that is not closed", '{"employees":[{}', "invalid_json"],
  ["brackets that do not match", '{"employees":[{}}]', "invalid_json"],
  ["a trailing comma in an array", '{"employees":[{},]}', "invalid_json"],
  ["a trailing comma in an object", '{"employees":[{}],}', "invalid_json"],
  ["a leading comma", '{,"employees":[{}]}', "invalid_json"],
  ["two commas", '{"employees":[{},,{}]}', "invalid_json"],
  ["no comma", '{"employees":[{}{}]}', "invalid_json"],
  ["no colon", '{"employees" [{}]}', "invalid_json"],
  ["two colons", '{"employees"::[{}]}', "invalid_json"],
  ["a member without a value", '{"employees":[{}],"a":}', "invalid_json"],
  ["a member without a name", '{"employees":[{}],"a"}', "invalid_json"],
  ["a name that is no string", '{"employees":[{}],a:1}', "invalid_json"],
  ["a name that is a number", '{"employees":[{}],1:1}', "invalid_json"],
  ["a value in an array with a name", '{"employees":["a":1]}', "invalid_json"],
  ["single quotes", "{'employees':[{}]}", "invalid_json"],
  ["a line comment", '{"employees":[{}]// none\n}', "invalid_json"],
  ["a block comment", '{"employees":[/* none */{}]}', "invalid_json"],
  ["True", inReport('"a":True'), "invalid_json"],
  ["undefined", inReport('"a":undefined'), "invalid_json"],
  // Numbers.
  ["NaN", inReport('"a":NaN'), "invalid_json"],
  ["Infinity", inReport('"a":Infinity'), "invalid_json"],
  ["-Infinity", inReport('"a":-Infinity'), "invalid_json"],
  ["a leading zero", inReport('"a":01'), "invalid_json"],
  ["a negative leading zero", inReport('"a":-01'), "invalid_json"],
  ["a leading plus", inReport('"a":+1'), "invalid_json"],
  ["a leading point", inReport('"a":.5'), "invalid_json"],
  ["a trailing point", inReport('"a":1.'), "invalid_json"],
  ["an empty exponent", inReport('"a":1e'), "invalid_json"],
  ["a signed empty exponent", inReport('"a":1e+'), "invalid_json"],
  ["a point after the exponent", inReport('"a":1e1.5'), "invalid_json"],
  ["two minuses", inReport('"a":--1'), "invalid_json"],
  ["a lone minus", inReport('"a":-'), "invalid_json"],
  ["a minus before a blank", inReport('"a":- 1'), "invalid_json"],
  ["hex", inReport('"a":0x1F'), "invalid_json"],
  ["an underscore", inReport('"a":1_000'), "invalid_json"],
  [
    "every form of number",
    inReport('"a":[0,-0,0.0,-0.0,1e5,1E5,1e+5,1e-5,0e0,1.5e300,123456789012345678901234567890]'),
    "accepted",
  ],
  [
    "a wage beyond every number",
    inEmployee('"first_name":"A","gross_wages":1e999,"hours_worked":-1e999'),
    "accepted",
  ],
  ["a wage of minus zero", inEmployee('"first_name":"A","gross_wages":-0,"hours_worked":-0.0'), "accepted"],
  [
    "a wage too small for a number",
    inEmployee('"first_name":"A","gross_wages":-1e-999,"hours_worked":1e-999'),
    "accepted",
  ],
  [
    "a number of a thousand digits",
    inEmployee(`"first_name":"A","gross_wages":-${"1".repeat(1_000)}`),
    "accepted",
  ],
  // Strings.
  ["every escape", inReport('"a":"\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9"'), "accepted"],
  ["an escape that is none", inReport('"a":"\\x41"'), "invalid_json"],
  ["an escape of three digits", inReport('"a":"\\u00e"'), "invalid_json"],
  ["an escape that is not hex", inReport('"a":"\\u00zz"'), "invalid_json"],
  ["an escaped line break", inReport('"a":"\\\n"'), "invalid_json"],
  ["a line break in a string", inReport('"a":"\n"'), "invalid_json"],
  ["a tab in a string", inReport('"a":"\t"'), "invalid_json"],
  ["a NUL in a string", inReport('"a":"\u0000"'), "invalid_json"],
  ["the last control character in a string", inReport('"a":"\u001f"'), "invalid_json"],
  ["a DEL in a string", inReport('"a":"\u007f"'), "accepted"],
  ["line separators in a string", inReport('"a":"\u2028\u2029"'), "accepted"],
  ["a string that is not closed", '{"employees":[{}],"a":"b}', "invalid_json"],
  ["a quote escaped at the end", '{"employees":[{}],"a":"b\\"}', "invalid_json"],
  ["brackets and quotes in a string", inReport('"a":"]}\\"]}{{[[\\\\"'), "accepted"],
  ["a surrogate pair in escapes", inEmployee('"first_name":"\\ud83d\\ude00"'), "accepted"],
  ["a lone high surrogate in an escape", inEmployee('"first_name":"\\ud83d"'), "accepted"],
  ["a lone low surrogate in an escape", inEmployee('"first_name":"\\ude00"'), "accepted"],
  [
    "surrogates the wrong way round",
    inEmployee('"first_name":"\\ude00\\ud83d","last_name":"\\ud83dx"'),
    "accepted",
  ],
  [
    "text of two, three and four bytes a character",
    inEmployee('"first_name":"é","last_name":"李","state":"😀"'),
    "accepted",
  ],
  // Bytes.
  ["a byte order mark before it", join(bytes(0xef, 0xbb, 0xbf), '{"employees":[{}]}'), "invalid_json"],
  ["a stray byte in a string", join('{"employees":[{}],"a":"', bytes(0xff), '"}'), "invalid_json"],
  ["Latin-1", join('{"employees":[{"first_name":"Zo', bytes(0xeb), '"}]}'), "invalid_json"],
  ["an overlong slash", join('{"employees":[{}],"a":"', bytes(0xc0, 0xaf), '"}'), "invalid_json"],
  ["an encoded surrogate", join('{"employees":[{}],"a":"', bytes(0xed, 0xa0, 0x80), '"}'), "invalid_json"],
  [
    "a character beyond Unicode",
    join('{"employees":[{}],"a":"', bytes(0xf4, 0x90, 0x80, 0x80), '"}'),
    "invalid_json",
  ],
  ["a character cut short", join('{"employees":[{}],"a":"', bytes(0xe6, 0x9d), '"}'), "invalid_json"],
  ["a character cut short at the very end", join('{"employees":[{}]}', bytes(0xe6, 0x9d)), "invalid_json"],
  ["a stray byte outside of strings", join('{"employees":[{}]', bytes(0x80), "}"), "invalid_json"],
  [
    "UTF-16",
    new Uint8Array(Array.from('{"employees":[{}]}').flatMap((c) => [0, c.charCodeAt(0)])),
    "invalid_json",
  ],
  // Names.
  ["an empty name", inReport('"":1,"a":{"":{"":[]}}'), "accepted"],
  ["employees in escapes", '{"\\u0065mploy\\u0065es":[{}]}', "accepted"],
  ["Employees in upper case", '{"Employees":[{}]}', "no_employees"],
  ["employees in another object", '{"report":{"employees":[{}]}}', "no_employees"],
  ["employees in the employees", '{"employees":[{"employees":[]},{"employees":[{},{}]}]}', "accepted"],
  ["__proto__ with employees", '{"__proto__":{"employees":[{}]}}', "no_employees"],
  [
    "__proto__ in many places",
    `{"__proto__":{"policy_number":"WC"},"employees":[{"__proto__":{"first_name":"A"}}],"pay_period":{"__proto__":{"start_date":"2026-01-01"}}}`,
    "accepted",
  ],
  [
    "constructor and its like",
    '{"constructor":1,"toString":2,"employees":[{"constructor":{},"hasOwnProperty":1}]}',
    "accepted",
  ],
  // Employees.
  ["employees: null", '{"employees":null}', "no_employees"],
  ["employees: an object", '{"employees":{"0":{},"length":1}}', "no_employees"],
  ["employees: a string", '{"employees":"[{}]"}', "no_employees"],
  ["employees: a number", '{"employees":1}', "no_employees"],
  ["employees: true", '{"employees":true}', "no_employees"],
  ["employees: an empty array", '{"employees":[]}', "no_employees"],
  ["employees: a blank array", '{"employees":[ \n ]}', "no_employees"],
  ["employees that are no objects", '{"employees":[null,1,"a",true,[],[{}],[[]],{}]}', "accepted"],
  ["an array that holds a good employee", `{"employees":[[${EMPLOYEE}],{}]}`, "accepted"],
  ["employees given twice", `{"employees":[{},{},{}],"employees":[${EMPLOYEE}]}`, "invalid_json"],
  ["employees given twice, the second empty", '{"employees":[{}],"employees":[]}', "invalid_json"],
  ["employees given twice, the second null", '{"employees":[{}],"employees":null}', "invalid_json"],
  [
    "employees given twice, the second an object",
    '{"employees":[{}],"employees":{"a":[{}]}}',
    "invalid_json",
  ],
  [
    "employees given twice, the first no array",
    `{"employees":"none","employees":[${EMPLOYEE}]}`,
    "invalid_json",
  ],
  ["employees given three times", '{"employees":[{}],"employees":1,"employees":[{},{}]}', "invalid_json"],
  ["employees given twice, the second broken", '{"employees":[{}],"employees":[{},]}', "invalid_json"],
  // Fields given twice, or of the wrong kind.
  [
    "a field given twice",
    '{"employees":[{"first_name":1,"first_name":"A","state":"CA","state":7}],"note":1,"n\\u006fte":"WC"}',
    "accepted",
  ],
  [
    "a period given twice",
    '{"employees":[{}],"policy_number":"WC","pay_period":{"start_date":"2026-01-01"},"pay_period":{"end_date":"2026-01-02"}}',
    "invalid_json",
  ],
  [
    "a period and then a scalar",
    '{"employees":[{}],"policy_number":"WC","pay_period":{"start_date":"2026-01-01"},"pay_period":7}',
    "invalid_json",
  ],
  [
    "a scalar and then a period",
    '{"employees":[{}],"policy_number":"WC","pay_period":7,"pay_period":{"start_date":"2026-01-01"}}',
    "invalid_json",
  ],
  [
    "a period that is an array",
    '{"employees":[{}],"policy_number":"WC","pay_period":[{"start_date":"2026-01-01"}]}',
    "accepted",
  ],
  ["a period that is null", '{"employees":[{}],"policy_number":"WC","pay_period":null}', "accepted"],
  [
    "objects and arrays for scalars",
    '{"employees":[{"first_name":{"last_name":"B"},"last_name":["A"],"gross_wages":{"gross_wages":1},"hours_worked":[1]}],"policy_number":{"a":"b"},"pay_period":{"start_date":{"end_date":"2026-01-01"},"end_date":[]}}',
    "accepted",
  ],
  [
    "null for scalars",
    '{"employees":[{"first_name":null,"gross_wages":null}],"policy_number":null}',
    "accepted",
  ],
  ["empty texts", '{"employees":[{"first_name":"","state":"  "}],"policy_number":""}', "accepted"],
  [
    "numbers in texts",
    '{"employees":[{"first_name":"A","gross_wages":"5000","hours_worked":""}]}',
    "accepted",
  ],
  [
    "employer fields that are objects",
    '{"employees":[{}],"employer_fein":{"a":1},"employer_id":[1]}',
    "accepted",
  ],
  ["an employer of 5 000 characters", `{"employees":[{}],"employer_id":"${"A".repeat(5_000)}"}`, "accepted"],
  [
    "employer fields given twice",
    '{"employees":[{}],"employer_fein":"12-3456789","employer_id":"A","employer_fein":"98-7654321"}',
    "invalid_json",
  ],
  [
    "a name after the employees' fields",
    `{"employees":[${EMPLOYEE}],"first_name":"A","start_date":"2026-01-01"}`,
    "accepted",
  ],
  [
    "the other dialect",
    '{"employer_id":"E1","period_start":"2026-01-01","period_end":"2025-01-01","payroll_data":{"total_payroll":-1,"total_hours":"x","officer_payroll":1e999},"employees":[{"employee_id":"1","name":"A"},{"employee_id":2,"classification_code":"8810","gross_wages":-1}]}',
    "accepted",
  ],
  ["a hundred and fifty bad employees", `{"employees":[${Array(150).fill("{}").join()}]}`, "accepted"],
  [
    "a hundred and fifty good employees, then a bad one",
    `{${GOOD},"employees":[${Array(150).fill(EMPLOYEE).join()},{}]}`,
    "accepted",
  ],
  // Depth. The report itself is the first level.
  ["64 levels of arrays", inReport(`"a":${nested(MAX_DEPTH - 1)}`), "accepted"],
  ["65 levels of arrays", inReport(`"a":${nested(MAX_DEPTH)}`), "invalid_json"],
  ["64 levels of objects", inReport(`"a":${nestedObjects(MAX_DEPTH - 1)}`), "accepted"],
  ["65 levels of objects", inReport(`"a":${nestedObjects(MAX_DEPTH)}`), "invalid_json"],
  ["64 levels in an employee", `{"employees":[{"a":${nested(MAX_DEPTH - 3)}}]}`, "accepted"],
  ["65 levels in an employee", `{"employees":[{"a":${nested(MAX_DEPTH - 2)}}]}`, "invalid_json"],
  ["64 levels of employees", `{"employees":${nested(MAX_DEPTH - 1)}}`, "accepted"],
  ["many levels side by side", inReport(`"a":[${Array(50).fill(nested(50)).join()}]`), "accepted"],
  ["100 000 open brackets", "[".repeat(100_000), "invalid_json"],
  ["100 000 levels", `{"employees":${nested(100_000)}}`, "invalid_json"],
  ["brackets in a string", inReport(`"a":"${"[".repeat(100)}"`), "accepted"],
];

describe("a document", () => {
  it.each(DOCUMENTS)(
    "with %s is judged the same whether it is parsed or streamed: $2",
    (_, document, verdict) => {
      const small = typeof document === "string" ? utf8(document) : document;
      expect(small.byteLength).toBeLessThanOrEqual(PARSE_UP_TO_BYTES);
      const judged = verdictOf(small);
      expect("failure" in judged ? judged.failure : "accepted").toBe(verdict);
      for (const { where, bytes: large } of paddings(small)) {
        if (small[0] === 0xef) continue;
        expect({ where, ...verdictOf(large) }).toEqual({ where, ...judged });
      }
    },
  );

  it("that is a prefix of a report is refused, and only the whole is accepted, parsed or streamed", () => {
    const document = `{"a":"\\u00e9\\n","b":[-1.5e+3,true,null],"employees":[{"first_name":"李","gross_wages":0}]}`;
    const whole = utf8(document);
    for (let length = 0; length < whole.byteLength; length++) {
      const prefix = whole.slice(0, length);
      expect(verdictOf(prefix)).toEqual({ failure: "invalid_json" });
      const padded = join(" ".repeat(PARSE_UP_TO_BYTES), prefix);
      expect(verdictOf(padded)).toEqual({ failure: "invalid_json" });
    }
    expect(verdictOf(whole)).toMatchObject({ employees: 1 });
  });

  it("has the same result wherever a chunk ends", () => {
    const document = utf8(
      `{"employer_fein":"12-3456789","note":"é李😀\\ud83d\\ude00\\\\","employees":[{"first_name":"Zoë","gross_wages":-12.5e-1},7],"last":null}`,
    );
    const expected = verdictOf(document);
    const chunk = 64 * 1_024;
    for (let before = 1; before < document.byteLength; before++) {
      const padded = join(" ".repeat(5 * chunk - before), document);
      expect(verdictOf(padded)).toEqual(expected);
    }
  });
});

const LONE = "Contains half of a surrogate pair, such as the rest of a truncated emoji";
const NUL = "Contains the NUL character (\\u0000)";
const TWICE = "This name appears twice in its object; parsers may use either value";

/** A report that is otherwise in order, small and large. */
function bothWarnings(member: string, employee = EMPLOYEE): (Record<string, string> | object)[] {
  return ["", " ".repeat(PARSE_UP_TO_BYTES)].map((space) => {
    const validated = validateBody(utf8(`{"employees":[${employee}],${GOOD},${member}}${space}`));
    return validated.ok ? { ...validated.value.warnings } : validated.error;
  });
}

describe("what another parser could read differently", () => {
  it.each<[string, string, Record<string, string>]>([
    ["a doubled note", '"note":1,"note":2', { note: TWICE }],
    ["a note doubled in escapes", '"note":1,"\\u006eote":2', { note: TWICE }],
    ["a doubled name deep inside", '"a":[0,{"b":{"c":1,"d":2,"c":3}}]', { "a[1].b.c": TWICE }],
    [
      "doubled totals",
      '"payroll_data":{"total_payroll":1,"total_payroll":2}',
      { "payroll_data.total_payroll": TWICE },
    ],
    ["a name that appears three times", '"a":1,"a":2,"a":3', { a: TWICE }],
    ["a name of another object", '"a":{"b":1},"b":{"b":2}', {}],
    [
      "employer_fein doubled in another object",
      '"a":{"employer_fein":1,"employer_fein":2}',
      { "a.employer_fein": TWICE },
    ],
    ["a cut emoji", '"note":"\\ud83d"', { note: LONE }],
    ["a cut emoji before an escape", '"note":"\\uD83D\\n"', { note: LONE }],
    ["the second half alone", '"note":"\\ude00"', { note: LONE }],
    ["two first halves and a second", '"note":"\\ud83d\\ud83d\\ude00"', { note: LONE }],
    ["a whole emoji", '"note":"\\ud83d\\ude00 \\u00e9"', {}],
    ["an escaped backslash before a u", '"note":"\\\\ud83d \\\\u0000"', {}],
    ["NUL", '"note":"a\\u0000b"', { note: NUL }],
    ["NUL in a name", '"a\\u0000":1', { "a\u0000": NUL }],
    ["__proto__ given twice", '"__proto__":1,"__proto__":2', JSON.parse(`{"__proto__":"${TWICE}"}`)],
    ["constructor given twice", '"constructor":1,"constructor":2', { constructor: TWICE }],
    ["a long name", `"${"n".repeat(50)}":"\\ud83d"`, { [`${"n".repeat(40)}…`]: LONE }],
  ])("is reported by its path, and changes nothing: %s", (_, member, warnings) => {
    for (const warned of bothWarnings(member)) expect(warned).toEqual(warnings);
  });

  it("is reported for an employee's field beside the field's own problem", () => {
    const employee = '{"first_name":"J\\ud83d","last_name":"R","last_name":"Roe"}';
    for (const warned of bothWarnings('"a":1', employee)) {
      expect(warned).toMatchObject({ "employees[0].first_name": LONE, "employees[0].last_name": TWICE });
      expect(warned).toMatchObject({ "employees[0].class_code": "Required field missing" });
    }
  });

  it("is reported at most twenty times", () => {
    const members = Array.from({ length: 300 }, (_, n) => `"a${n}":1,"a${n}":2`).join();
    for (const warned of bothWarnings(members)) expect(Object.keys(warned)).toHaveLength(20);
  });
});

describe("a deciding name may not appear twice", () => {
  it.each([
    ["employer_fein", '"employer_fein":"12-3456789","employer_fein":"98-7654321"'],
    ["employer_fein", '"employer_fein":"12-3456789","employer\\u005ffein":"12-3456789"'],
    [
      "employer_fein",
      `"employer_fein":1,${Array.from({ length: 6_000 }, (_, n) => `"a${n}":0`).join()},"employer_fein":2`,
    ],
    ["employer_id", '"employer_id":"A","employer_id":null'],
    ["employees", '"employees":[]'],
    ["policy_number", '"policy_number":"WC2"'],
    ["period_start", '"period_start":"2026-01-01","period_start":"2026-01-01"'],
    ["period_end", '"period_end":"2026-01-01","a":1,"period_end":"2026-01-01"'],
    ["pay_period", '"pay_period":{}'],
  ])("%s", (name, member) => {
    const reason = `\`${name}\` appears twice, so it is unclear which value counts. Send it once.`;
    for (const warned of bothWarnings(member)) expect(warned).toEqual({ kind: "invalid_json", reason });
  });

  it.each(["start_date", "end_date"])("pay_period.%s", (name) => {
    const body = `{"employees":[{}],"pay_period":{"${name}":"2026-01-01","a":1,"${name}":"2026-01-02"}}`;
    for (const space of ["", " ".repeat(PARSE_UP_TO_BYTES)])
      expect(validateBody(utf8(body + space))).toMatchObject({
        error: { reason: expect.stringContaining(`\`pay_period.${name}\` appears twice`) },
      });
  });
});

describe("a refusal of a body that is not JSON names the place and the mistake", () => {
  it.each<[string, string | Bytes, string]>([
    ["nothing", "", "The body is empty. Send a JSON object."],
    ["NaN", '{"employees":[\n  {"gross_wages": NaN}]}', "line 2, column 19: NaN is not a JSON value"],
    ["-Infinity", '{"a":-Infinity}', "line 1, column 6: -Infinity is not a JSON value"],
    ["a trailing comma", '{"employees":[{},]}', "column 17: Remove the trailing comma before ]"],
    ["a trailing comma in an object", '{"a":1,\n}', "line 1, column 7: Remove the trailing comma before }"],
    ["single quotes", "{'employees':[]}", "column 2: Single quotes"],
    ["Python", '{"a":None}', "column 6: None is Python's: JSON writes null"],
    ["a comment", '{"a":1, // one\n"b":2}', "column 9: JSON has no comments"],
    ["a line break in a text", '{"a":"one\ntwo"}', "column 10: A line break in a string"],
    ["a name without quotes", "{employees:[]}", "column 2: Names must be in double quotes"],
    ["half a report", '{"employees":[{"first_name":"J', "column 31: The text ends inside a string"],
    [
      "a report cut behind a value",
      '{"employees":[{}',
      "column 17: The text ends before the value is complete",
    ],
    ["a form", "employer_fein=12-3456789&a=b", "column 1: This looks like a form"],
    ["XML", "<report/>", "column 1: This looks like XML"],
    ["two reports", '{"a":1}\n{"a":2}', "line 2, column 1: More text follows"],
    ["columns behind letters and emojis", '{"é李😀":1,}', "line 1, column 10: Remove the trailing comma"],
    ["a byte order mark", join(bytes(0xef, 0xbb, 0xbf), "{}"), "begins with a byte order mark"],
    ["UTF-16", join(bytes(0xff, 0xfe, 0x7b, 0), ""), "UTF-16"],
    ["UTF-16 without a mark", join(bytes(0x7b, 0, 0x7d, 0), ""), "UTF-16"],
    ["gzip", join(bytes(0x1f, 0x8b, 8, 0), ""), "compressed with gzip"],
    ["Latin-1", join('{"a":"Zo', bytes(0xeb), '"}'), "not UTF-8: line 1, column 9: the byte EB"],
  ])("%s", (_, document, words) => {
    const body = typeof document === "string" ? utf8(document) : document;
    const judged = validateBody(body);
    expect(judged).toMatchObject({
      error: { kind: "invalid_json", reason: expect.stringContaining(words) },
    });
    if (words.includes("column") && !words.includes("ends")) {
      const large = validateBody(join(body, " ".repeat(PARSE_UP_TO_BYTES)));
      expect(large).toEqual(judged);
    }
  });

  it("and repeats none of its content", () => {
    for (const body of [
      '{"a":Zyzzyx}',
      '{"Zyzzyx":1,}',
      '{"a":"Zyzzyx',
      '{"a":1}Zyzzyx',
      "Zyzzyx",
      '{"a":01234}',
    ]) {
      const judged = JSON.stringify(validateBody(utf8(body)));
      expect(judged).toContain("invalid_json");
      expect(judged).not.toMatch(/Zyzzyx|1234/);
    }
  });
});

describe("a body of", () => {
  const MIB = 1_024 ** 2;

  // What is between the first text and the last is the second text, as often as it fits.
  it.each<[number, string, [string, string, string], Verdict]>([
    [
      10,
      "empty objects in an unknown field",
      [`{${GOOD},"employees":[${EMPLOYEE}],"a":[`, "{},", "{}]}"],
      "accepted",
    ],
    [10, "empty employees", ['{"employees":[', "{},", "{}]}"], "invalid_json"],
    [10, "one string", ['{"employees":[{}],"a":"', "x", '"}'], "accepted"],
    [10, "one number", ['{"employees":[{}],"a":', "1", "}"], "accepted"],
    [10, "one name", ['{"employees":[{}],"', "x", '":1}'], "accepted"],
    [10, "white space", ['{"employees":[{}]', " ", "}"], "accepted"],
    [10, "open brackets", ["", "[", ""], "invalid_json"],
    [10, "open arrays and objects in turn", ['{"employees":[{}],"a":', "[{", ""], "invalid_json"],
    [10, "quotes", ["", '"', ""], "invalid_json"],
    [2, "members of one object", ['{"employees":[{}],"a":{', '"a":0,', '"b":1}}'], "accepted"],
    [2, "numbers", ['{"employees":[{}],"a":[', "0,", "0]}"], "accepted"],
    [2, "scalar employees", ['{"employees":[', "0,", "0]}"], "invalid_json"],
    [2, "a note given again and again", ['{"employees":[{}]', ',"note":[{}]', "}"], "accepted"],
    [2, "names without end", ['{"employees":[{}],"a":{', '"\\u0061":0,', '"b":1}}'], "accepted"],
    [10, "half surrogates", ['{"employees":[{}],"a":"', "\\ud83d", '"}'], "accepted"],
  ])(
    "%i MiB of %s is judged in good time",
    (mib, _, [before, unit, after], verdict) => {
      const count = Math.floor((mib * MIB - before.length - after.length) / unit.length);
      const judged = verdictOf(utf8(before + unit.repeat(count) + after));
      expect("failure" in judged ? judged.failure : "accepted").toBe(verdict);
    },
    // Half of what wrangler.toml grants a request, on a core that is not ours alone.
    30_000,
  );

  it.each([
    [MAX_EMPLOYEES, "accepted"],
    [MAX_EMPLOYEES + 1, "invalid_json"],
  ])("%i employees are %s", (count, verdict) => {
    const judged = validateBody(utf8(`{"employees":[${"{},".repeat(count - 1)}{}]}`));
    if (!judged.ok) {
      expect(judged.error).toMatchObject({
        kind: verdict,
        reason: expect.stringContaining("250000 employees"),
      });
    } else expect([judged.value.employees, verdict]).toEqual([count, "accepted"]);
  });
});
