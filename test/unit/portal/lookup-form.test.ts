import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { mintFileId } from "../../../src/gate/file-id.ts";
import { mintRequestId } from "../../../src/http/request-id.ts";
import { deliveryId } from "../../../src/outbound/delivery-id.ts";
import { fileEventId, fileOfEvent, ownEventIds } from "../../../src/outbound/file-event-id.ts";
import { formOf } from "../../../src/portal/lookup/lookup-form.ts";

const ID = "40aeadcbdd77178e6c206b9f";
const FILE = mintFileId({ kind: "key", id: ID }, Date.now());

describe("the form of an id", () => {
  it.each([
    ["request", mintRequestId(`c${ID}`, Date.now())],
    ["request", mintRequestId("o", Date.now()).toUpperCase()],
    ["file", FILE],
    ["file", FILE.toLowerCase()],
    ["delivery", deliveryId({ webhookId: ID, eventSeq: 2 ** 50 })],
    ["webhook", `wh_${ID}`],
    ["webhook", `WH_${ID.toUpperCase()}`],
    ["api_key", `ak_${ID}`],
    ["object", ID],
    ["object", ID.toUpperCase()],
    ["event", "evt_1"],
    ["event", fileEventId("file.uploaded", FILE, 1)],
    ["chosen", "EMP_12345"],
    ["chosen", "0b6f3a54-6f0e-4f55-a3cc-7f0cf6f8bb0e"],
    ["chosen", "req_"],
    ["chosen", `FILE_${"U".repeat(40)}`],
    ["chosen", `wh_${ID}0`],
  ])("is %s of %s", (form, id) => {
    expect(formOf(id)).toMatchObject({ form });
  });

  it.each(["", " ", "a b", "a.b", "a:b", "a/b", "\0", "a\n", "е", "x".repeat(129)])(
    "is none of %j",
    (text) => {
      expect(formOf(text)).toBeNull();
    },
  );

  it("is none of whatever holds another character", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        fc.pre(!/^[A-Za-z0-9_-]*$/.test(text));
        expect(formOf(text)).toBeNull();
      }),
    );
  });
});

describe("the id of an event about a file", () => {
  it("leads back to the file", () => {
    expect(fileOfEvent(fileEventId("file.failed", FILE, 12))).toBe(FILE);
  });

  it.each([
    "evt_1",
    `evt_moved_${FILE}_1`,
    `evt_failed_${FILE}`,
    "evt_failed_FILE_1",
    `evt_failed_FILE_${"U".repeat(40)}_1`,
  ])("is not %s", (id) => {
    expect(fileOfEvent(id)).toBeNull();
  });

  it("is one of a few for each file, however often it was forwarded", () => {
    expect(ownEventIds(FILE, 2)).toEqual([
      `evt_uploaded_${FILE}_1`,
      `evt_uploaded_${FILE}_2`,
      `evt_failed_${FILE}_1`,
      `evt_failed_${FILE}_2`,
    ]);
    expect(ownEventIds(FILE, 1_000_000)).toHaveLength(20);
    expect(ownEventIds(FILE, 1_000_000)).toContain(`evt_failed_${FILE}_1000000`);
  });
});
