/** The contract of `GET /files`, which bearer keys and portal clients ask alike. */
import * as z from "zod";
import { countedPage } from "../../contract/answer.ts";
import { KEY_REFUSED, RATE_LIMITED } from "../../contract/common-failures.ts";
import { contract } from "../../contract/contract.ts";
import { FOREIGN_CURSOR, fileListFields, NO_SUCH_SENDER } from "../../inbound/file-list.ts";
import { file } from "../../inbound/file-presenter.ts";
import { ENVIRONMENTS } from "../../model.ts";
import { ownerFields } from "../owner.ts";
import { OWNER } from "../portal-contract.ts";

const fileQuery = z.strictObject({
  ...ownerFields,
  environment: z
    .enum(ENVIRONMENTS, { error: `Must be one of ${ENVIRONMENTS.join(", ")}` })
    .optional()
    .meta({ description: "Only for portal clients: production by default; of one sender, both." }),
  ...fileListFields,
});

export type ListedFile = z.infer<ReturnType<typeof file>>;

export const listFiles = contract({ query: fileQuery }, () => ({
  id: "listFiles",
  tag: "Developer",
  summary: "List files",
  description:
    "Newest first. Of one sender, `connection_id` or `api_key_id`: all its files. Without a sender, a bearer key lists the files that were sent with it; a portal client lists an owner's files that are stuck or have failed, of status `queued` or `failed`. A page may hold fewer entries than its limit, or none, while `next_cursor` is set: a page walks past at most 900 files. A bearer key reads only files of its owner and environment, and must not send an owner or environment.",
  access: "either",
  query: fileQuery,
  answers: { 200: { ...countedPage("A page of files.", "files", file()), sometimes: ["rate"] } },
  failures: [
    { kind: "portal_credentials_missing" },
    ...KEY_REFUSED,
    { kind: "invalid_fields", details: { limit: "Must be at most 100" } },
    FOREIGN_CURSOR,
    { kind: "two_senders" },
    ...OWNER,
    NO_SUCH_SENDER.connection,
    NO_SUCH_SENDER.key,
    RATE_LIMITED,
  ],
  failureHeaders: ["rate"],
}));
