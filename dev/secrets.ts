/**
 * Development secrets: made once, kept in .dev/secrets.json, and handed to the two Workers as .dev.vars files.
 * A .dev.vars that is there already is left as it is.
 */

import { createHash, randomBytes } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import * as z from "zod";
import { Problem } from "./problem.ts";
import { shown, workspace, writePrivately } from "./workspace.ts";

const portalClient = z.object({ id: z.string().min(1), secret: z.string().min(1) });
const devSecrets = z.object({
  vault_keys: z.string().min(1),
  portal: portalClient,
  files_creator: portalClient,
});

export type PortalClient = z.infer<typeof portalClient>;
export type DevSecrets = z.infer<typeof devSecrets>;

const KEY_BYTES = 32;

/** The secrets of this checkout, made first if there are none. `made` says whether this call made them. */
export function ensureSecrets(): { secrets: DevSecrets; made: boolean } {
  const known = readSecrets();
  if (known === null && existsSync(workspace.gatewayVars)) {
    throw new Problem(
      `${shown(workspace.gatewayVars)} is there, but ${shown(workspace.secrets)}, which it was made from, is not.\n` +
        `Run \`npm run reset\` to start afresh (it removes ${shown(workspace.gatewayVars)}).`,
    );
  }
  const secrets = known ?? makeSecrets();
  if (known === null) writePrivately(workspace.secrets, `${JSON.stringify(secrets, null, 2)}\n`);
  const files: [string, string][] = [
    [workspace.filesCreatorVars, filesCreatorVars(secrets)],
    [workspace.gatewayVars, gatewayVars(secrets)],
  ];
  for (const [file, text] of files) if (!existsSync(file)) writePrivately(file, text);
  return { secrets, made: known === null };
}

export function makeSecrets(): DevSecrets {
  const client = (id: string): PortalClient => ({ id, secret: randomBytes(KEY_BYTES).toString("base64url") });
  return {
    vault_keys: `dev-1:${randomBytes(KEY_BYTES).toString("base64")}`,
    portal: client("audit1-portal"),
    files_creator: client("files-creator"),
  };
}

/** `VAULT_KEYS` is a comma-separated list of kid:base64; `PORTAL_CLIENTS` names clients with the hashes of their secrets. */
export function gatewayVars(secrets: DevSecrets): string {
  const clients = [secrets.portal, secrets.files_creator].map(({ id, secret }) => ({
    id,
    secret_sha256: createHash("sha256").update(secret).digest("hex"),
  }));
  return [
    "# Made by npm start for this machine only.",
    `VAULT_KEYS='${secrets.vault_keys}'`,
    `PORTAL_CLIENTS='${JSON.stringify(clients)}'`,
    "",
  ].join("\n");
}

export function filesCreatorVars(secrets: DevSecrets): string {
  return [
    "# Made by npm start for this machine only.",
    `PORTAL_CLIENT_ID='${secrets.files_creator.id}'`,
    `PORTAL_CLIENT_SECRET='${secrets.files_creator.secret}'`,
    "",
  ].join("\n");
}

function readSecrets(): DevSecrets | null {
  if (!existsSync(workspace.secrets)) return null;
  try {
    return devSecrets.parse(JSON.parse(readFileSync(workspace.secrets, "utf8")));
  } catch {
    throw new Problem(`${shown(workspace.secrets)} cannot be read. Run \`npm run reset\` to start afresh.`);
  }
}
