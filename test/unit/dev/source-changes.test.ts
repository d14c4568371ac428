import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { type SourceChanges, watchSources } from "../../../dev/source-changes.ts";

let folder = "";
let changes: SourceChanges;

beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), "sources-"));
  mkdirSync(path.join(folder, "src/inbound"), { recursive: true });
  mkdirSync(path.join(folder, "src/.wrangler"));
  writeFileSync(path.join(folder, "wrangler.toml"), "");
  changes = watchSources(folder, ["src", "wrangler.toml"]);
});

afterEach(() => {
  rmSync(folder, { recursive: true });
});

function write(file: string) {
  writeFileSync(path.join(folder, file), String(Math.random()));
}

it("reports the files of one edit together, and the next edit on its own", async () => {
  write("src/inbound/accept.ts");
  write("wrangler.toml");
  expect(await changes.next()).toEqual(["src/inbound/accept.ts", "wrangler.toml"]);
  const next = changes.next();
  expect(changes.next()).toBe(next);
  write("src/index.ts");
  expect(await next).toEqual(["src/index.ts"]);
});

it("ignores build output, variables and editors' temporary files", async () => {
  for (const file of ["src/.wrangler/index.js", "src/.dev.vars", "src/index.ts~"]) write(file);
  write("src/app.ts");
  expect(await changes.next()).toEqual(["src/app.ts"]);
});

it("reports a file each time that an editor saves it by renaming", async () => {
  for (const file of ["src/app.ts", "src/app.ts", "wrangler.toml", "wrangler.toml"]) {
    write("saved");
    renameSync(path.join(folder, "saved"), path.join(folder, file));
    expect(await changes.next()).toEqual([file]);
  }
  write("src/app.ts");
  expect(await changes.next()).toEqual(["src/app.ts"]);
});

it("reports a file that appears in a new folder, and one that is removed", async () => {
  mkdirSync(path.join(folder, "src/outbound/webhooks"), { recursive: true });
  write("src/outbound/webhooks/store.ts");
  expect(await changes.next()).toEqual(["src/outbound/webhooks/store.ts"]);
  write("src/outbound/webhooks/store.ts");
  expect(await changes.next()).toEqual(["src/outbound/webhooks/store.ts"]);
  rmSync(path.join(folder, "src/outbound"), { recursive: true });
  expect(await changes.next()).toEqual(["src/outbound/webhooks/store.ts"]);
});
