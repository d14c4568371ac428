/** The demonstration's ids and secrets, kept in .dev/demo.json for `npm run send` and the next `npm start`. */

import { existsSync, readFileSync } from "node:fs";
import * as z from "zod";
import { workspace, writePrivately } from "./workspace.ts";

const demo = z.object({
  base_url: z.url(),
  connection_id: z.string().min(1),
  secret: z.string().min(1),
  api_key: z.string().min(1),
  employer_id: z.string().min(1),
  employer_fein: z.string().min(1),
  portal_client_id: z.string().min(1),
  portal_client_secret: z.string().min(1),
  /** Bound to the demo's owner: its requests need not name the owner. */
  owner_client_id: z.string().min(1),
  owner_client_secret: z.string().min(1),
  files_creator_url: z.url(),
  /** Signs in to the console as staff, any number of times. */
  console_url: z.url(),
  /** As above, as somebody who may manage what the demo's owner has. */
  owner_console_url: z.url(),
});

export type Demo = z.infer<typeof demo>;

/** Earlier versions had no client of the owner and no console. */
const earlierDemo = demo.partial({
  owner_client_id: true,
  owner_client_secret: true,
  console_url: true,
  owner_console_url: true,
});
export type EarlierDemo = z.infer<typeof earlierDemo>;

export const DEMO_OWNER = { owner_id: "demo-payroll", owner_type: "payroll_company" } as const;
export const DEMO_EMPLOYER = { id: "demo-employer", fein: "12-3456789", name: "Demo Employer LLC" } as const;

/** Null if there is none, or if it is incomplete. */
export function readDemo(): EarlierDemo | null {
  if (!existsSync(workspace.demo)) return null;
  try {
    return earlierDemo.parse(JSON.parse(readFileSync(workspace.demo, "utf8")));
  } catch {
    return null;
  }
}

export function writeDemo(data: Demo): void {
  writePrivately(workspace.demo, `${JSON.stringify(data, null, 2)}\n`);
}
