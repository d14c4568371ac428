/** The changes that users of the API and of the console notice, the newest day first. In all texts, backticks mark code. */

interface Day {
  /** `2026-11-28`. */
  date: string;
  changes: readonly string[];
}

export const CHANGELOG: readonly Day[] = [
  {
    date: "2026-11-28",
    changes: [
      "New: the console. “Set up connection” ends with a verified first request, and shows each refused try within three seconds, with the reason and what to change.",
      "New: `POST /portal-links` lets people of an owner into the console, to view or to manage. Links and sessions are listed and revoked with `GET` and `DELETE` of `/portal-links` and `/sessions`.",
      "New: `GET /connections/{id}/requests` and `GET /api-keys/{id}/requests` list what arrived, refused requests too. A refused signature is explained by a `diagnosis`.",
      "New: `GET /lookup/{id}` finds any id with everything related to it. `request_id` has a new form that leads to the record of its request.",
      "New: `GET /metrics` has counts, latencies and the business metrics over time.",
      "New: `GET /health`, alerts by mail and `GET /alerts`. Connections have a `notification_email`.",
      "New: `GET /deliveries` lists the deliveries of all webhooks. `POST /deliveries/retry` and `POST /files/replay` repeat what filters match, after a count, in the background.",
      "New: `GET /files` filters by status, employer and time. A file shows when each of its steps happened, and its warnings.",
      "New: events can be listed by type and read one by one, with their deliveries. `GET /event-types` is the catalogue, and a webhook can be tested with any type.",
    ],
  },
  {
    date: "2026-11-27",
    changes: [
      "Changed: plain HTTP and TLS below 1.2 are refused everywhere, before anything is read.",
      "Changed: `url` of a webhook is shown whole only by the webhook itself; lists, mails and the audit trail show `url_masked`.",
      "Changed: an object of another owner than the one that a request names is a 404, whoever asks.",
      "Changed: a body that names `employees`, the employer, the period or the policy twice is refused. Other repeated names are warnings.",
      "Changed: a FEIN is read by its nine digits, whatever stands between them. A report that names two employers is refused.",
      "Changed: a report is accepted under any `Content-Type` if its bytes are JSON in UTF-8.",
      "Changed: a batch of events in which all failed is answered as a failure.",
      "New: `Idempotency-Key` for `POST` of connections, webhooks and API keys: a repeated creation answers the same object.",
      "New: `metadata.sequence` in deliveries tells which event of a file is newer.",
      "New: webhooks can be paused, and have a pace (`max_per_minute`). What came while a webhook was disabled is listed as `skipped` and can be replayed.",
      "New: mails when an endpoint fails for half an hour, on its way to being disabled, and when it has recovered.",
      "New: `DELETE /api-keys/{id}?erase=true` erases what came under the key.",
      "Better: messages say what a malformed signature, clock or key holds, and where JSON breaks.",
      "Better: the API reference at `/docs` needs no scripts.",
    ],
  },
  {
    date: "2026-11-24",
    changes: [
      "New: webhooks. Events are delivered with retries and signed in every documented scheme, through rotations too. Deliveries can be listed, retried and replayed.",
      "New: `POST /payroll/reports` and `POST /employees/sync` with an API key, under the rate limits of reports.",
      "New: the management of connections, API keys, employers, webhooks and events, with an audit trail.",
      "New: every list has pages, by `limit` and `cursor`.",
    ],
  },
  {
    date: "2026-11-22",
    changes: [
      "New: signed reports at `POST /webhook/inbound/{connection_id}`. A repeated request makes no second file.",
      "New: `GET /files/status/{file_id}` follows a report.",
    ],
  },
];
