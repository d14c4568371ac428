/** A database that records every statement it prepares, so that a test can read their query plans. */

/** `plans` returns the steps of all plans, without repeats. */
export function withQueryLog(db: D1Database): { DB: D1Database; plans(): Promise<string[]> } {
  const queries = new Set<string>();
  const DB = new Proxy(db, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value !== "function") return value;
      return (...args: unknown[]) => {
        if (name === "prepare") queries.add(String(args[0]));
        return Reflect.apply(value, target, args);
      };
    },
  });
  const plans = async () => {
    const steps = new Set<string>();
    for (const query of queries) {
      const numbered = Math.max(0, ...[...query.matchAll(/\?(\d+)/g)].map(([, digits]) => Number(digits)));
      const count = numbered || query.split("?").length - 1;
      const { results } = await db
        .prepare(`EXPLAIN QUERY PLAN ${query}`)
        .bind(...Array.from({ length: count }, () => null))
        .all<{ detail: string }>();
      for (const { detail } of results) steps.add(detail);
    }
    return [...steps];
  };
  return { DB, plans };
}
