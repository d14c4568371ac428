/** Arbitraries of JSON text for fast-check: with repeated names, odd numbers, odd white space, and broken on purpose. */
import fc from "fast-check";
import { KNOWN_FIELDS } from "../../src/inbound/payroll-rules.ts";

const encoder = new TextEncoder();

/** Names of fields that the gateway ignores. */
export const unknownName = fc
  .oneof(
    fc.string({ unit: "binary", maxLength: 12 }),
    fc.constantFrom("__proto__", "constructor", "toString", "hasOwnProperty", "Employees", "note", ""),
  )
  .filter((name) => !KNOWN_FIELDS.has(name) && name !== "employees");
const knownName = fc.constantFrom(...KNOWN_FIELDS, "employees");
/** A name or text in quotes, sometimes with every character escaped. */
export const quoted = (texts: fc.Arbitrary<string>) =>
  fc
    .tuple(texts, fc.nat(9))
    .map(([text, escaped]) => (escaped === 0 ? escapedJson(text) : JSON.stringify(text)));

function escapedJson(text: string): string {
  let json = "";
  for (let i = 0; i < text.length; i++) json += `\\u${text.charCodeAt(i).toString(16).padStart(4, "0")}`;
  return `"${json}"`;
}

export const scalar = fc.oneof(
  fc.constantFrom("null", "true", "false", '""', "0", "-0", "1e400", "-1e-400", "9007199254740993", "1E+2"),
  fc.constantFrom('"2026-03-01"', '"2026-02-30"', '"12-3456789"', '"EMP_1"', '"\\ud800"', '"\\u0000"'),
  fc.double({ noNaN: true, noDefaultInfinity: true }).map((number) => JSON.stringify(number)),
  fc.bigInt({ min: -(10n ** 40n), max: 10n ** 40n }).map(String),
  quoted(fc.string({ unit: "binary", maxLength: 20 })),
);
const space = fc.constantFrom("", "", "", " ", "\n", "\t\r ");

/** Any JSON value. */
export const { value: jsonValue } = fc.letrec<{ value: string; array: string; object: string }>((tie) => ({
  value: fc.oneof({ maxDepth: 5, withCrossShrink: true }, scalar, tie("object"), tie("array")),
  array: fc
    .tuple(space, fc.array(tie("value"), { maxLength: 4 }))
    .map(([gap, items]) => `[${gap}${items.join(`${gap},`)}]`),
  object: objectOf(fc.oneof(knownName, unknownName), tie("value")),
}));

function objectOf(names: fc.Arbitrary<string>, values: fc.Arbitrary<string>): fc.Arbitrary<string> {
  return fc
    .tuple(space, fc.array(fc.tuple(quoted(names), values), { maxLength: 6 }))
    .map(
      ([gap, members]) =>
        `{${gap}${members.map(([name, member]) => `${name}${gap}:${gap}${member}`).join(",")}}`,
    );
}

const employee = objectOf(
  fc.oneof({ weight: 5, arbitrary: knownName }, { weight: 1, arbitrary: unknownName }),
  jsonValue,
);
const employees = fc.array(fc.oneof({ weight: 5, arbitrary: employee }, jsonValue), { maxLength: 5 });
/** Mostly reports that are valid enough for their fields to be checked. */
const members = fc.array(
  fc.oneof(
    { weight: 4, arbitrary: employees.map((list) => `"employees":[${list.join(",")}]`) },
    {
      weight: 4,
      arbitrary: fc.tuple(quoted(knownName), jsonValue).map(([name, member]) => `${name}:${member}`),
    },
    {
      weight: 2,
      arbitrary: fc
        .tuple(fc.constantFrom("pay_period", "payroll_data"), objectOf(knownName, scalar))
        .map(([name, member]) => `"${name}":${member}`),
    },
    {
      weight: 1,
      arbitrary: fc.tuple(quoted(unknownName), jsonValue).map(([name, member]) => `${name}:${member}`),
    },
  ),
  { maxLength: 6 },
);
/** The text of a JSON document: mostly a report, sometimes anything. */
export const bodyText = fc.oneof(
  { weight: 6, arbitrary: members.map((list) => `{${list.join(",")}}`) },
  jsonValue,
);

const mutations = fc.array(
  fc.record({
    at: fc.nat(),
    cut: fc.nat(2),
    put: fc.oneof(
      fc.constantFrom(...'{}[],:"\\0-.eE+tfn \n'.split("")).map((char) => [...encoder.encode(char)]),
      fc.array(fc.nat(255), { maxLength: 3 }),
    ),
  }),
  { minLength: 1, maxLength: 3 },
);
/** Such a text with a few bytes changed, removed or inserted. It is rarely still JSON, and sometimes not UTF-8. */
export const brokenBody = fc.tuple(bodyText, mutations).map(([text, list]) => {
  const bytes = [...encoder.encode(text)];
  for (const { at, cut, put } of list) bytes.splice(at % (bytes.length + 1), cut, ...put);
  return Uint8Array.from(bytes);
});
