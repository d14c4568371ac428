/** The document's chapters, in their order. */
export const TAGS = {
  Inbound: "The door for payroll systems: one signed request is one report.",
  Developer: "Reports under a bearer key, and the files of its owner.",
  Connections: "Inbound connections and their secrets. For the portal.",
  "API keys": "Bearer keys of the developer API. For the portal.",
  Employers: "Employers, and the owners that may report for them. For the portal.",
  Webhooks: "Where an owner's events go, and what became of each delivery. For the portal.",
  Events: "What happened, told by Audit1's services and the files-creator, and read back by its owner.",
  Operations:
    "The audit trail, files forwarded again, owners erased, data keys wrapped anew. For the portal.",
  Outbound: "Events as webhooks get them.",
  Service: "The service itself: its health and its documentation.",
} as const;
