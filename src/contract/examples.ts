/** The objects that the document's examples are about. */
export const EXAMPLE = {
  connectionId: "40aeadcbdd77178e6c206b9f",
  apiKeyId: "6512f0a1c3d4e5f60718293a",
  webhookId: "65f1a2b3c4d5e6f708192a3b",
  deliveryId: "del_65f1a2b3c4d5e6f708192a3b1KMTQ3A40ZX",
  replayId: "65f2b3c4d5e6f708192a3b4c",
  fileId: "FILE_0G5ENQ5XTXRQHSP20TWZ01M80JEKT9D1HA6KX8WZ",
  owner: { owner_type: "payroll_company", owner_id: "acme-payroll" },
  employerId: "EMP_12345",
  fein: "12-3456789",
  at: "2026-03-16T10:30:00.000Z",
  later: "2026-03-16T10:30:04.120Z",
  version: 1_773_657_000_000,
  sequence: 1_816_224_768_004_096,
  requestId: "7d1b1c1e-5d6f-4f0a-9a53-0c9a1d0a4b6e",
} as const;
