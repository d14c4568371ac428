import { expect, it } from "vitest";
import { readSettings } from "../../../src/env.ts";
import { readEvents } from "../../../src/outbound/event-list.ts";
import { bindings } from "../../support/gateway.ts";
import { tell } from "../../support/outbound.ts";

const MAX_DATA_BYTES = 256 * 1024;

it("reads events of any size in pages that an isolate holds, and misses none", async () => {
  const owner = { type: "payroll_company" as const, id: "event-list" };
  const data = JSON.stringify({ text: "x".repeat(MAX_DATA_BYTES - 11) });
  for (let i = 0; i < 40; i++) await tell({ owner, id: `evt_${i}`, data });
  const scope = { owner, environment: "production" as const };
  const ids: string[] = [];
  let cursor: number | undefined;
  for (let page = 0; page < 10; page++) {
    const read = await readEvents(bindings.DB, readSettings(bindings).keyRing, scope, { limit: 100, cursor });
    expect(JSON.stringify(read.events).length).toBeLessThan(5 * 1024 ** 2);
    ids.push(...read.events.map(({ id }) => id));
    if (read.next_cursor === null) break;
    [, cursor] = JSON.parse(atob(read.next_cursor.replaceAll("-", "+").replaceAll("_", "/")));
  }
  expect(ids).toEqual(Array.from({ length: 40 }, (_, i) => `evt_${i}`));
});

it("reads pages of as many events as were asked for, and says where the list ends", async () => {
  const owner = { type: "payroll_company" as const, id: "event-pages" };
  for (let i = 0; i < 4; i++) await tell({ owner, id: `evt_${i}` });
  const scope = { owner, environment: "production" as const };
  const read = (limit: number) => readEvents(bindings.DB, readSettings(bindings).keyRing, scope, { limit });
  expect(await read(3)).toMatchObject({ events: [{}, {}, {}], next_cursor: expect.any(String) });
  expect(await read(4)).toMatchObject({ events: [{}, {}, {}, {}], next_cursor: null });
});
