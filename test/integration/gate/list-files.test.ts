import { expect, it } from "vitest";
import { listFiles } from "../../../src/gate/list-files.ts";
import type { FileQuery } from "../../../src/gate/protocol.ts";
import { Bench, countingRows, DAY, inGate, newGate, onInbox, seqOf } from "../../support/gate.ts";

const ALL: FileQuery = {
  status: null,
  employerId: null,
  environment: null,
  since: 0,
  until: null,
  before: null,
  limit: 20,
};

it("a page of a gate with many files reads fewer than 2 000 rows, however rare what it looks for, and the walk finds it", async () => {
  await inGate(await newGate({ plan: "enterprise" }), (bench) => {
    const start = bench.clock.now;
    const files: string[] = [];
    for (let i = 0; i < 2_500; i++) {
      // Over three days, so that the walk crosses partitions.
      bench.clock.now = start + Math.floor(i / 1_000) * DAY + i;
      files.push(bench.accept());
    }
    const [oldest = ""] = files;
    onInbox(
      bench.sql,
      `UPDATE inbox SET facts = json_set(facts, '$.employerId', 'RARE') WHERE seq = '${seqOf(oldest)}'`,
    );
    const rows = countingRows(bench.sql);
    const counted = new Bench(bench.gate, rows.sql);
    let before = rows.read();
    const page = (query: Partial<FileQuery>, most = 1_999) => {
      const listed = listFiles(counted.state, counted.lifecycle, { ...ALL, ...query });
      const read = rows.read();
      expect(read - before).toBeLessThanOrEqual(most);
      before = read;
      return listed;
    };

    const first = page({});
    expect(first.files.map(({ fileId }) => fileId)).toEqual(files.toReversed().slice(0, 20));
    expect(first.count).toEqual({ found: 1_001, complete: false });
    // The count is the first page's alone.
    expect(page({ before: seqOf(files[20] ?? "") }, 21)).toMatchObject({ next: null, count: null });

    const found: string[] = [];
    let next: string | null = null;
    let pages = 0;
    do {
      const listed = page({ employerId: "RARE", before: next && seqOf(next) });
      if (pages === 0) expect(listed.count).toEqual({ found: 0, complete: false });
      found.push(...listed.files.map(({ fileId }) => fileId));
      next = listed.next;
      pages++;
    } while (next !== null);
    expect([found, pages]).toEqual([[oldest], 3]);
    expect(page({ employerId: "RARE", until: start + 10 }, 30)).toMatchObject({
      files: [{ fileId: oldest }],
      count: { found: 1, complete: true },
    });
    expect(page({ since: start + 3 * DAY }, 22)).toEqual({
      files: [],
      next: null,
      count: { found: 0, complete: true },
    });
  });
}, 60_000);

it("a gate that has never had a file has an empty list", async () => {
  await inGate(await newGate(), (bench) => {
    expect(listFiles(bench.state, bench.lifecycle, { ...ALL, employerId: "x" })).toEqual({
      files: [],
      next: null,
      count: { found: 0, complete: true },
    });
  });
});
