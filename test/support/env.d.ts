declare namespace Cloudflare {
  interface Env {
    MIGRATIONS: import("cloudflare:test").D1Migration[];
  }
}

interface ImportMeta {
  /** Shell variables that begin with `VITE_`. */
  env: Record<string, string | undefined>;
}

declare module "*?raw" {
  const text: string;
  export default text;
}
