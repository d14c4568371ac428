/** Every address of the console is made here. A filter that is undefined, null or empty is left out. */

type Query = Record<string, string | number | boolean | null | undefined>;

function address(path: string, query: Query = {}): string {
  const params = new URLSearchParams();
  for (const [name, value] of Object.entries(query))
    if (value !== undefined && value !== null && value !== "" && value !== false)
      params.set(name, String(value));
  return params.size === 0 ? path : `${path}?${params}`;
}

const below =
  (path: string) =>
  (query: Query = {}) =>
    address(path, query);

const object =
  (path: string) =>
  (id: string, query: Query = {}) =>
    address(`${path}/${encodeURIComponent(id)}`, query);

export const to = {
  now: below("/console"),
  find: below("/console/find"),
  connections: below("/console/connections"),
  newConnection: below("/console/connections/new"),
  connection: object("/console/connections"),
  unknownRequests: below("/console/requests"),
  request: object("/console/requests"),
  reports: below("/console/reports"),
  report: object("/console/reports"),
  webhooks: below("/console/webhooks"),
  newWebhook: below("/console/webhooks/new"),
  webhook: object("/console/webhooks"),
  deliveries: below("/console/deliveries"),
  delivery: object("/console/deliveries"),
  events: below("/console/events"),
  event: object("/console/events"),
  jobs: below("/console/jobs"),
  job: object("/console/jobs"),
  metrics: below("/console/metrics"),
  settings: below("/console/settings"),
  docs: below("/console/docs"),
  /** The API reference, which is outside the console. */
  reference: below("/docs"),
  referencePage: object("/docs"),
  signIn: below("/console/sign-in"),
  staff: below("/console/staff"),
  signOut: below("/console/sign-out"),
} as const;

/** The same address with some parameters changed. Null removes one. */
export function changed(url: URL, query: Query): string {
  const params = new URLSearchParams(url.search);
  for (const [name, value] of Object.entries(query)) {
    if (value === null || value === undefined || value === "") params.delete(name);
    else params.set(name, String(value));
  }
  return params.size === 0 ? url.pathname : `${url.pathname}?${params}`;
}
