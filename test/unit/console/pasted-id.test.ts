import { describe, expect, it } from "vitest";
import { kindOf, pastedId } from "../../../src/console/pages/find/pasted-id.ts";

const FILE = "FILE_0YSWE1JNM1EW7Y11E9JS01M8GV0Q7S8MC2TS1GBM";
const REQUEST = "req_c40aeadcbdd77178e6c206b9f19cf63208404f0a9a530c9a";
const OBJECT = "7b3c70655a05dc3f82172659";

describe("the id in a pasted text", () => {
  it.each([
    [FILE, FILE],
    [`\n\t ${FILE} \r\n`, FILE],
    [`"${FILE}",`, FILE],
    [`'file_id': '${FILE}'`, FILE],
    [`{"request_id":"${REQUEST}","file_id":null}`, REQUEST],
    [`Request ID: ${REQUEST}.`, REQUEST],
    [`X-Audit1-Request-Id: ${REQUEST}`, REQUEST],
    [`(connection ${OBJECT})`, OBJECT],
    [`https://webhooks.audit1.com/api/v1/webhook/inbound/${OBJECT}`, OBJECT],
    [`https://console.audit1.com/console/reports/${FILE}?do=replay`, FILE],
    [`Hello, our run failed: “${FILE}” of Monday`, FILE],
    ["employer EMP_1", "EMP_1"],
    ["the employer id is acme-manufacturing", "acme-manufacturing"],
    ["demo-employer", "demo-employer"],
    ["employer", "employer"],
    ["wh_7B3C70655A05DC3F82172659", "wh_7B3C70655A05DC3F82172659"],
  ])("%s", (text, id) => {
    expect(pastedId(text)).toBe(id);
  });

  it.each(["", "   ", "…?!", "“”"])("is not found in %j", (text) => {
    expect(pastedId(text)).toBeNull();
  });

  it("is looked for in the first 2,000 characters, in little time", () => {
    expect(pastedId(`${"-".repeat(1_000_000)} ${FILE}`)).toBe("-".repeat(2_000));
  });
});

it("an id says what it would name", () => {
  expect(kindOf(FILE)).toBe("a report");
  expect(kindOf(FILE.toLowerCase())).toBe("a report");
  expect(kindOf(OBJECT)).toContain("a connection");
  expect(kindOf("EMP_1")).toContain("an employer");
});
