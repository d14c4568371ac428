/** Statements per run. */
const STATEMENTS_PER_RUN = 40;

/**
 * Repeats a statement until it changes fewer rows than it may at a time, so that a large deletion does not block the database's only
 * writer for long. What one run leaves is left to the next one. Rejects if D1 fails.
 */
export async function repeatUntilDone(statement: D1PreparedStatement, rowsAtATime: number): Promise<void> {
  for (let i = 0; i < STATEMENTS_PER_RUN; i++) {
    const { meta } = await statement.run();
    if (meta.changes < rowsAtATime) return;
  }
}
