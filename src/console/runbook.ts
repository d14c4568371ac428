/** Made by `npm run console` from docs/runbook.md. Do not edit. */

export const RUNBOOK = {
  "report_waiting": {
    "means": "A report was accepted over 15 minutes ago and the files-creator has not accepted it yet. No report is lost: it waits in its gate, sealed.",
    "look": "Other alerts of the same time. `GET /api/v1/stuck-files` names the reason (`deferred` with the files-creator's status, `ring_key_missing`, `not_configured`, `consumer_died`). If the file is not listed, look at the backlog of the queue `files` in `/health`. The log line `posted a file` has the outcome of every attempt.",
    "act": "Bring the files-creator back, or correct the setting. Waiting reports are forwarded by themselves, at the latest an hour later. If the queue grows while the consumer does nothing, look for exceptions in the log and deploy the last version that worked."
  },
  "delivery_overdue": {
    "means": "A delivery to a webhook has been due for over five minutes without an attempt. Webhooks that are paused, paced, slow, or working through a backlog do not count, so the fault is the gateway's.",
    "look": "The backlogs of `deliveries`, `deliveries_slow` and `deliveries_new` in `/health`, the alert `cron_silent` (the cron wakes endpoints whose wake-up was lost), and errors of the delivery consumer in the log.",
    "act": "Restore the part that has stopped: D1, the queue, or the cron. Deliveries are then attempted by themselves."
  },
  "cron_silent": {
    "means": "The watch has seen no run of the minute cron for over five minutes. Retries of lost wake-ups, mails, replays, erasures and retention wait. Accepting and forwarding reports does not depend on the cron.",
    "look": "The cron's past events in the dashboard, and `failed to run a part of the minute cron` in the log. A version that was uploaded without being deployed has no cron trigger.",
    "act": "Deploy with `npx wrangler deploy`, which sets the trigger. If the cron runs but the alert stays open, the cron cannot reach the watch: the log has `failed to run a part of the minute cron` with the part `notify the watch`."
  },
  "dead_letters": {
    "means": "A consumer crashed repeatedly on the same message, so the message went to a dead-letter queue. Nothing is lost: gates wake their files again, and the cron wakes endpoints. The alert resolves an hour after the last such message.",
    "look": "`received a dead letter of the files queue` or `failed to deliver in an earlier run` in the log, and the exceptions before them. `GET /api/v1/stuck-files?reason=consumer_died` lists the files.",
    "act": "Find the report or endpoint on which the consumer crashes, and correct the cause. Then replay the file."
  },
  "ring_key_missing": {
    "means": "Data keys are wrapped with a key that `VAULT_KEYS` does not contain. Reports and deliveries of the connections and owners with such data keys wait, and new reports get 503. Other connections and owners are not affected.",
    "look": "The alert's subject, which is the id of the key.",
    "act": "Put the key back into `VAULT_KEYS`, after the first one, and deploy. Remove a key only after `POST /api/v1/vault/rewrap` has answered `\"done\": true` with the new key first."
  },
  "refused_share": {
    "means": "In the last 15 minutes a sender made 20 or more requests, and at least half of them were refused; on the day before, at most a tenth. Usually the sender changed something: a secret, a clock, a body. The gateway's own failures do not count, and a sender that never had a report accepted raises no alert.",
    "look": "`GET /api/v1/connections/{id}/requests` or `GET /api/v1/api-keys/{id}/requests`, with the code and the diagnosis of each refusal.",
    "act": "Tell the sender's owner what the diagnosis says. If many senders are affected at once, the change was ours: look at the last deployment."
  },
  "webhook_half_way": {
    "means": "Every attempt at a webhook has failed for two and a half days, half of the time after which the gateway disables it. Its owner got a mail; this alert sends no other.",
    "look": "`GET /api/v1/webhooks/{id}/deliveries`: the error, the status and the start of the receiver's answers.",
    "act": "Nothing, or remind the owner. Events are kept for 90 days and can be replayed."
  },
  "webhook_most_of_the_way": {
    "means": "As webhook-half-way, at 80 % of the time: a day is left. The owner got a second mail.",
    "look": null,
    "act": "Call the owner, if the events matter."
  },
  "webhook_disabled": {
    "means": "The gateway disabled a webhook: it answered 410 Gone, or every attempt failed for five days. Its owner got a mail. The alert stays open until the webhook is enabled or deleted.",
    "look": null,
    "act": "Once the endpoint works, set the webhook's `status` to `active` and replay the range it missed; `GET /api/v1/webhooks/{id}` shows that range. Delete the webhook if nobody needs it."
  },
  "webhook_recovered": {
    "means": "A webhook that was on its way to being disabled accepts deliveries again. Nothing needs to be done. Deliveries that failed in the meantime can be retried or replayed. The alert resolves after an hour.",
    "look": null,
    "act": null
  },
  "error_budget_half": {
    "means": "Of this month's requests at the report endpoints more than 0.05 % were answered 500 or 503: half of the error budget (99.9 %) is spent. The alert waits for the month's first 1 000 requests, and resolves with the next month.",
    "look": "`GET /api/v1/metrics` for the hours in which the failures happened, and the log of those hours.",
    "act": "Find the cause and correct it before you deploy anything else. Senders repeat such requests, so reports were late, not lost."
  },
  "error_budget_spent": {
    "means": "As error-budget-half, for all of the budget: more than 0.1 % of the month's requests were answered 500 or 503.",
    "look": null,
    "act": "Deploy nothing but corrections until the next month."
  }
} as const;
