/** Every request has an id: the caller's own when it is well-formed, else one of ours. It is in every answer and log line. */
const WELL_FORMED = /^[A-Za-z0-9._-]{1,64}$/;

export function requestIdOf(headers: Headers): string {
  for (const name of ["X-Request-Id", "X-Audit1-Request-Id"]) {
    const given = headers.get(name);
    if (given !== null && WELL_FORMED.test(given)) return given;
  }
  return crypto.randomUUID();
}

export function requestIdHeaders(requestId: string): Record<string, string> {
  return { "X-Audit1-Request-Id": requestId, "X-Request-Id": requestId };
}
