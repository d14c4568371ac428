/** The chapters of the document, in order. */
export const TAGS = {
  Inbound: "Where payroll systems send reports: one signed request per report.",
  Developer: "Reports sent with a bearer key, and the files of the key's owner.",
  Connections: "Inbound connections and their secrets. For the portal.",
  "API keys": "Bearer keys of the developer API. For the portal.",
  Employers: "Employers, and the owners that may report for them. For the portal.",
  Webhooks: "Where an owner's events are sent, and the outcome of each delivery. For the portal.",
  Events: "Events that Audit1's services and the files-creator report, and that their owner reads back.",
  Metrics: "What was received, refused and delivered, how fast, and the business metrics.",
  Sessions: "Links that let people into the console, and the sessions they make. For the portal.",
  Operations:
    "The audit trail, forwarding files again, erasing owners, rewrapping data keys. For the portal.",
  Outbound: "Events as webhooks receive them.",
  Service: "The service itself: its health and its documentation.",
} as const;
