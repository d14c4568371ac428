/** The page of all public errors, generated from the table that the gateway uses. */
import { ERRORS } from "../../src/http/errors.ts";

const HEAD = `# Errors

Every error that the API returns. Compare \`error\` or \`code\` in programs, show \`message\` to people, and quote \`request_id\` to
support. \`message\` and \`details\` name what is particular to the request. Generated from \`src/http/errors.ts\` by
\`npm run openapi\`.

| status | \`code\` | \`error\` | cause | what to do |
|---|---|---|---|---|
`;

/** Ordered by status, then as in the table. Errors that differ only in their message have separate rows. */
export function errorTable(): string {
  const rows = Object.values(ERRORS)
    .map(({ status, code, error, cause, fix }) => ({ status, code, error, cause, fix }))
    .sort((a, b) => a.status - b.status || a.code.localeCompare(b.code))
    .map(({ status, code, error, cause, fix }) => [status, `\`${code}\``, `\`${error}\``, cause, fix]);
  const lines = new Set(rows.map((cells) => `| ${cells.join(" | ")} |\n`));
  return HEAD + [...lines].join("");
}
