/** Builds the examples of responses from the examples of their fields. */
import * as z from "zod";

/** The objects that the examples of the document show. */
export const EXAMPLE = {
  connectionId: "40aeadcbdd77178e6c206b9f",
  apiKeyId: "6512f0a1c3d4e5f60718293a",
  webhookId: "65f1a2b3c4d5e6f708192a3b",
  deliveryId: "del_65f1a2b3c4d5e6f708192a3b1KMTQ3A40ZX",
  replayId: "65f2b3c4d5e6f708192a3b4c",
  jobId: "65f3c4d5e6f708192a3b4c5d",
  fileId: "FILE_0G5ENQ5XTXRQHSP20TWZ01M80JEKT9D1HA6KX8WZ",
  alertId: "alt_01KMTQ3A40ZX8Q1V6N5T",
  portalLinkId: "plk_65f4c5d6e7f8091a2b3c4d5e",
  sessionId: "ses_65f5d6e7f8091a2b3c4d5e6f",
  person: "jane.roe@acme-payroll.com",
  owner: { owner_type: "payroll_company", owner_id: "acme-payroll" },
  employerId: "EMP_12345",
  fein: "12-3456789",
  at: "2026-03-16T10:30:00.000Z",
  later: "2026-03-16T10:30:04.120Z",
  version: 1_773_657_000_000,
  sequence: 1_816_224_768_004_096,
  /** Of a request to the signed intake, and of one to the portal API. */
  requestId: "req_c40aeadcbdd77178e6c206b9f19cf63208404f0a9a530c9a",
  portalRequestId: "req_p19cf63208400c9a1d0a4b6e",
} as const;

/** Kept apart from the metadata of the schemas, which the document would show with each field. */
const examples = z.registry<{ value: z.core.$output }>();

/** Gives a field the value that examples show, and optionally a description. */
export function like<Schema extends z.ZodType>(
  schema: Schema,
  value: z.output<Schema>,
  description?: string,
): Schema {
  const shown = description === undefined ? schema : schema.meta({ description });
  examples.add(shown, { value });
  return shown;
}

/** The value given by {@link like}, or else one built from the parts of the schema. A nullable field without a value is null. */
export function exampleOf(schema: z.core.$ZodType): unknown {
  const known = examples.get(schema);
  if (known !== undefined) return known.value;
  if (schema instanceof z.ZodObject) {
    const fields = Object.entries(schema.shape).map(([name, field]) => [name, exampleOf(field)] as const);
    return Object.fromEntries(fields.filter(([, value]) => value !== undefined));
  }
  if (schema instanceof z.ZodArray) return [exampleOf(schema.element)];
  if (schema instanceof z.ZodNullable) return null;
  if (schema instanceof z.ZodOptional) return undefined;
  if (schema instanceof z.ZodLiteral) return schema.value;
  throw new Error("a field of an answer has no example");
}
