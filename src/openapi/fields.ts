/** Fields that answers of several capabilities have. */
import * as z from "zod";
import { ENVIRONMENTS, OWNER_TYPES, PLANS } from "../model.ts";

export const objectId = z
  .string()
  .regex(/^[0-9a-f]{24}$/)
  .meta({ examples: ["40aeadcbdd77178e6c206b9f"] });
export const fileId = z
  .string()
  .regex(/^FILE_[0-9A-HJKMNP-TV-Z]{40}$/)
  .meta({ examples: ["FILE_0G5ENQ5XTXRQHSP20TWZ01M80JEKT9D1HA6KX8WZ"] });
export const fileStatus = z.enum(["queued", "processing", "completed", "failed"]);
export const moment = z.iso.datetime();
export const owner = { owner_type: z.enum(OWNER_TYPES), owner_id: z.string() };
export const environment = z.enum(ENVIRONMENTS);
export const sequence = z.int().positive().meta({
  description:
    "Unique, and grows with every event of the owner and environment in the order in which they were stored. The same in every delivery of the event.",
});
export const plan = z.enum(PLANS);
export const version = z.int().nonnegative().meta({
  description: "Grows with every change. The `ETag` is made of it.",
});
export const nextCursor = z.string().nullable().meta({
  description: "The `cursor` of the next page; null at the end of the list.",
});
export const success = z.literal(true);

/** In paths, where letter case does not matter. */
export const connectionIdInPath = z
  .string()
  .regex(/^[0-9a-fA-F]{24}$/)
  .meta({ description: "24 hex characters, in either case.", examples: ["40aeadcbdd77178e6c206b9f"] });
export const fileIdInPath = z
  .string()
  .regex(/^FILE_[0-9A-HJKMNP-TV-Za-hjkmnp-tv-z]{40}$/)
  .meta({
    description: "As it was answered to the report.",
    examples: ["FILE_0G5ENQ5XTXRQHSP20TWZ01M80JEKT9D1HA6KX8WZ"],
  });

export const webhookIdInPath = z
  .string()
  .regex(/^(wh_)?[0-9a-fA-F]{24}$/)
  .meta({ description: "With or without `wh_`.", examples: ["wh_65f1a2b3c4d5e6f708192a3b"] });
export const webhookId = z.string().regex(/^wh_[0-9a-f]{24}$/);
export const apiKeyIdInPath = z
  .string()
  .regex(/^(ak_)?[0-9a-fA-F]{24}$/)
  .meta({ description: "With or without `ak_`.", examples: ["ak_6512f0a1c3d4e5f60718293a"] });
export const deliveryId = z
  .string()
  .regex(/^del_[0-9a-f]{24}[0-9A-HJKMNP-TV-Z]{11}$/)
  .meta({ examples: ["del_65f1a2b3c4d5e6f708192a3b1KMTQ3A40ZX"] });

export const ifMatch = z.object({
  "If-Match": z
    .string()
    .regex(/^(?:\*|(?:W\/)?"\d{1,16}(?:-[0-9a-f]{8})?"(?:, ?(?:W\/)?"\d{1,16}(?:-[0-9a-f]{8})?")*)$/)
    .optional()
    .meta({
      description: "The `ETag` of the object as it was read: the change is made only if it is still so.",
      examples: ['"1773657000000"'],
    }),
});
