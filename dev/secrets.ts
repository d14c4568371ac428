/**
 * Development secrets: created once, kept in .dev/secrets.json, and given to the two Workers as .dev.vars files. A .dev.vars
 * that somebody has edited is left unchanged.
 */

import { createHash, randomBytes } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import * as z from "zod";
import { DEMO_OWNER } from "./demo.ts";
import { Problem } from "./problem.ts";
import { shown, workspace, writePrivately } from "./workspace.ts";

const portalClient = z.object({ id: z.string().min(1), secret: z.string().min(1) });
const devSecrets = z.object({
  vault_keys: z.string().min(1),
  portal: portalClient,
  files_creator: portalClient,
  /** Bound to the demo's owner. */
  owner: portalClient,
});
/** Earlier versions had no client of the owner. */
const earlierSecrets = devSecrets.partial({ owner: true });

export type PortalClient = z.infer<typeof portalClient>;
export type DevSecrets = z.infer<typeof devSecrets>;
type EarlierSecrets = z.infer<typeof earlierSecrets>;

const KEY_BYTES = 32;

/** The secrets of this checkout. `made` says whether this call created them. */
export function ensureSecrets(): { secrets: DevSecrets; made: boolean } {
  const known = readSecrets();
  if (known === null && existsSync(workspace.gatewayVars)) {
    throw new Problem(
      `${shown(workspace.gatewayVars)} exists, but ${shown(workspace.secrets)}, from which it was made, does not.\n` +
        `Run \`npm run reset\` to start over (it removes ${shown(workspace.gatewayVars)}).`,
    );
  }
  const made = makeSecrets();
  const secrets: DevSecrets = { ...made, ...known, owner: known?.owner ?? made.owner };
  if (known?.owner === undefined) writePrivately(workspace.secrets, `${JSON.stringify(secrets, null, 2)}\n`);
  // An earlier version's variables lack a client: make them again, unless somebody has edited them.
  if (known !== null && known.owner === undefined && isOurs(workspace.gatewayVars, known))
    writePrivately(workspace.gatewayVars, gatewayVars(secrets));
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
    owner: client("demo-owner"),
  };
}

/** `VAULT_KEYS` is a comma-separated list of id:base64; `PORTAL_CLIENTS` lists clients with the hashes of their secrets. */
export function gatewayVars(secrets: EarlierSecrets): string {
  const entry = ({ id, secret }: PortalClient) => ({
    id,
    secret_sha256: createHash("sha256").update(secret).digest("hex"),
  });
  const { owner_type: type, owner_id: id } = DEMO_OWNER;
  const clients = [
    entry(secrets.portal),
    { ...entry(secrets.files_creator), role: "files_creator" },
    ...(secrets.owner === undefined ? [] : [{ ...entry(secrets.owner), owner: { type, id } }]),
  ];
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

/** Whether the file is exactly what `npm start` writes for these secrets. */
function isOurs(file: string, secrets: EarlierSecrets): boolean {
  return existsSync(file) && readFileSync(file, "utf8") === gatewayVars(secrets);
}

function readSecrets(): EarlierSecrets | null {
  if (!existsSync(workspace.secrets)) return null;
  try {
    return earlierSecrets.parse(JSON.parse(readFileSync(workspace.secrets, "utf8")));
  } catch {
    throw new Problem(`${shown(workspace.secrets)} is not readable. Run \`npm run reset\` to start over.`);
  }
}
