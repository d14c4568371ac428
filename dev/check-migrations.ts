/**
 * Rejects migrations that could lose rows on D1, and a schema that has no migration yet.
 *
 * A rebuilt table (`__new_…`) is dropped and renamed, and on D1 that drop cascades into its children.
 */
import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const FOLDER = "migrations";
const UNSAFE = [
  { pattern: /__new_/i, why: "rebuilds a table" },
  { pattern: /\bdrop\s+table\b/i, why: "drops a table" },
  { pattern: /\bon\s+delete\s+cascade\b/i, why: "cascades deletions" },
  { pattern: /\bcurrent_timestamp\b/i, why: "defaults a time to text" },
];

const sqlFiles = (folder: string) => readdirSync(folder).filter((name) => name.endsWith(".sql"));

const problems = sqlFiles(FOLDER).flatMap((name) => {
  const sql = readFileSync(join(FOLDER, name), "utf8");
  return UNSAFE.filter(({ pattern }) => pattern.test(sql)).map(({ why }) => `${name} ${why}`);
});

const scratch = mkdtempSync(join(tmpdir(), "migrations-"));
try {
  cpSync(FOLDER, scratch, { recursive: true });
  const generated = spawnSync(
    "drizzle-kit",
    ["generate", "--dialect", "sqlite", "--schema", "./src/db/schema.ts", "--out", scratch],
    { encoding: "utf8" },
  );
  if (generated.status !== 0) problems.push(`drizzle-kit failed: ${generated.stderr || generated.stdout}`);
  else if (sqlFiles(scratch).length !== sqlFiles(FOLDER).length) {
    problems.push("the schema has no migration yet: run npm run migrations and commit what it writes");
  }
} finally {
  rmSync(scratch, { recursive: true, force: true });
}

for (const problem of problems) console.error(`migrations: ${problem}`);
if (problems.length > 0) process.exit(1);
console.log(`migrations: ${sqlFiles(FOLDER).length} safe, schema covered`);
