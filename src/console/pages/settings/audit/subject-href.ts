/** Where the object of a change is shown. Pure. */
import { API_KEY_PREFIX } from "../../../../model.ts";
import type { ShownAuditEntry } from "../../../../portal/audit-routes.ts";
import { to } from "../../../paths.ts";

/** Null for what has no page. */
export function subjectHref({ kind, id }: ShownAuditEntry["subject"]): string | null {
  switch (kind) {
    case "connection":
      return to.connection(id);
    case "webhook":
      return to.webhook(`wh_${id}`);
    case "api_key":
      return to.settings({ tab: "keys", key: `${API_KEY_PREFIX}${id}` });
    case "file":
      return to.report(id);
    case "job":
      return to.job(id);
    case "session":
      return to.settings({ tab: "sessions", ended: "true", do: "revoke", session: id });
    case "portal_link":
      return to.settings({ tab: "links", ended: "true", do: "revoke", link: id });
    case "employer":
      return to.settings({ tab: "employers", employer: id });
    case "alert":
      return to.settings({ tab: "alerts" });
    case "owner":
    case "vault":
      return null;
  }
}
