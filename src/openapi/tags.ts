/** The document's chapters, in their order. */
export const TAGS = {
  Inbound: "The door for payroll systems: one signed request is one report.",
  Developer: "Files of a bearer key's owner.",
  Connections: "Inbound connections and their secrets. For the portal.",
  "API keys": "Bearer keys of the developer API. For the portal.",
  Employers: "Employers, and the owners that may report for them. For the portal.",
  Events: "What became of files, told by the files-creator. For the portal.",
  Operations: "The audit trail, files forwarded again, data keys wrapped anew. For the portal.",
  Deliveries: "Events as webhooks get them.",
  Service: "The service itself: its health and its documentation.",
} as const;
