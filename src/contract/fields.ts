/** Fields that several contracts share. Each call makes a schema, so nothing is made while the Worker starts. */
import * as z from "zod";
import { ENVIRONMENTS, OWNER_TYPES, PLANS } from "../model.ts";
import { EXAMPLE, like } from "./examples.ts";

export const objectId = (example: string = EXAMPLE.connectionId) =>
  like(
    z
      .string()
      .regex(/^[0-9a-f]{24}$/)
      .meta({ examples: [EXAMPLE.connectionId] }),
    example,
  );
export const fileId = () =>
  like(
    z
      .string()
      .regex(/^FILE_[0-9A-HJKMNP-TV-Z]{40}$/)
      .meta({ examples: [EXAMPLE.fileId] }),
    EXAMPLE.fileId,
  );
export const webhookId = () => like(z.string().regex(/^wh_[0-9a-f]{24}$/), `wh_${EXAMPLE.webhookId}`);
export const deliveryId = () =>
  like(
    z
      .string()
      .regex(/^del_[0-9a-f]{24}[0-9A-HJKMNP-TV-Z]{11}$/)
      .meta({ examples: [EXAMPLE.deliveryId] }),
    EXAMPLE.deliveryId,
  );
export const fileStatus = () => z.enum(["queued", "processing", "completed", "failed"]);
export const moment = (example: string = EXAMPLE.at) => like(z.iso.datetime(), example);
export const owner = () => ({
  owner_type: like(z.enum(OWNER_TYPES), EXAMPLE.owner.owner_type),
  owner_id: like(z.string(), EXAMPLE.owner.owner_id),
});
export const environment = () => like(z.enum(ENVIRONMENTS), "production");
export const plan = () => like(z.enum(PLANS), "production");
export const sequence = () =>
  like(
    z.int().positive(),
    EXAMPLE.sequence,
    "Unique, and grows with every stored event of the owner and environment. The same in every delivery of the event.",
  );
export const version = () =>
  like(z.int().nonnegative(), EXAMPLE.version, "Grows with every change. The `ETag` is derived from it.");
export const nextCursor = () =>
  z.string().nullable().meta({ description: "The `cursor` of the next page; null at the end of the list." });
/** A number, or `37+` for at least 37. */
export const countOrLeast = () => z.union([z.int().nonnegative(), z.string().regex(/^\d+\+$/)]);
export const listCount = () =>
  like(
    countOrLeast().nullable(),
    1,
    "How many entries the list has; null on all pages but the first. A number is exact, `1000+` is more than 1000. Where a filter would need the whole list to be read, another text with a `+` is the least number: `37+` is 37 or more.",
  );
export const success = () => z.literal(true);

/** Path parameters, by their names in the routes. */
export const PATH_PARAMETERS: Record<string, () => z.ZodType> = {
  connection_id: () =>
    z
      .string()
      .regex(/^[0-9a-fA-F]{24}$/)
      .meta({ description: "24 hex characters, upper or lower case.", examples: [EXAMPLE.connectionId] }),
  api_key_id: () =>
    z
      .string()
      .regex(/^(ak_)?[0-9a-fA-F]{24}$/)
      .meta({ description: "With or without `ak_`.", examples: [`ak_${EXAMPLE.apiKeyId}`] }),
  employer_id: () =>
    z
      .string()
      .regex(/^[A-Za-z0-9_-]{1,64}$/)
      .meta({ examples: [EXAMPLE.employerId] }),
  file_id: () =>
    z
      .string()
      .regex(/^FILE_[0-9A-HJKMNP-TV-Za-hjkmnp-tv-z]{40}$/)
      .meta({ description: "As returned when the report was accepted.", examples: [EXAMPLE.fileId] }),
  webhook_id: () =>
    z
      .string()
      .regex(/^(wh_)?[0-9a-fA-F]{24}$/)
      .meta({ description: "With or without `wh_`.", examples: [`wh_${EXAMPLE.webhookId}`] }),
  delivery_id: deliveryId,
  replay_id: () =>
    z
      .string()
      .regex(/^[0-9a-fA-F]{24}$/)
      .meta({ examples: [EXAMPLE.replayId] }),
  alert_id: () =>
    z
      .string()
      .regex(/^alt_[0-9A-HJKMNP-TV-Z]{20}$/)
      .meta({ examples: [EXAMPLE.alertId] }),
  job_id: () =>
    z
      .string()
      .regex(/^[0-9a-fA-F]{24}$/)
      .meta({ examples: [EXAMPLE.jobId] }),
  portal_link_id: () =>
    z
      .string()
      .regex(/^plk_[0-9a-f]{24}$/)
      .meta({ examples: [EXAMPLE.portalLinkId] }),
  session_id: () =>
    z
      .string()
      .regex(/^ses_[0-9a-f]{24}$/)
      .meta({ examples: [EXAMPLE.sessionId] }),
  owner_type: () => z.enum(OWNER_TYPES),
  owner_id: () =>
    z
      .string()
      .regex(/^[A-Za-z0-9_.:-]{1,64}$/)
      .meta({ examples: [EXAMPLE.owner.owner_id] }),
};
