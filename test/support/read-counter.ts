/** A database that counts the rows its statements read, by the measure that D1 bills. */

/** `take` returns the rows read since it was last called. */
export function countingReads(db: D1Database): { DB: D1Database; take(): number } {
  let read = 0;
  const counted = (statement: D1PreparedStatement): D1PreparedStatement =>
    new Proxy(statement, {
      get(target, name) {
        const value: unknown = Reflect.get(target, name, target);
        if (typeof value !== "function") return value;
        return async (...args: unknown[]) => {
          // The result of `first` does not say how many rows were read.
          const result = await (name === "first" ? target.all() : Reflect.apply(value, target, args));
          read += result.meta.rows_read;
          return name === "first" ? (result.results[0] ?? null) : result;
        };
      },
    });
  const DB = new Proxy(db, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value !== "function") return value;
      if (name !== "prepare") return value.bind(target);
      return (query: string) => {
        const prepared = target.prepare(query);
        return new Proxy(prepared, {
          get(statement, method) {
            if (method === "bind") return (...values: unknown[]) => counted(statement.bind(...values));
            return Reflect.get(counted(statement), method);
          },
        });
      };
    },
  });
  return {
    DB,
    take: () => {
      const taken = read;
      read = 0;
      return taken;
    },
  };
}
