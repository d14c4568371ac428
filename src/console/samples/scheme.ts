/** The signing scheme by example. A client that computes the same signature signs correctly. */
export const WORKED_EXAMPLE = {
  secret: "whsec_example",
  timestamp: "1774000000000",
  body: '{"employees":[]}',
  signature: "b9bba58d5bd3e0bd1664e1047fdbbee182fd5c11d4c93563b4253501c28ec16e",
} as const;
