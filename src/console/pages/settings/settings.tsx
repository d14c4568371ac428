/** Settings: what an owner's systems and people come in with, and what operators look after. The address names the tab. */
import { Hono } from "hono";
import { bodyLimit } from "hono/body-limit";
import type { ConsoleContext, ConsoleEnv } from "../../console-host.ts";
import { formOf } from "../../form.ts";
import { noSuch } from "../../not-found.tsx";
import { to } from "../../paths.ts";
import { linksTab } from "./access/links.tsx";
import { sessionsTab } from "./access/sessions.tsx";
import { alertsTab } from "./alerts/alerts-tab.tsx";
import { auditTab } from "./audit/audit.tsx";
import { employersTab } from "./employers/employers-tab.tsx";
import { isScript } from "./employers/import-page.tsx";
import { keysTab } from "./keys/keys.tsx";
import { type SettingsTab, settingsPage, tabNameOf } from "./settings-page.tsx";

const TABS: Record<string, SettingsTab> = {
  keys: keysTab,
  sessions: sessionsTab,
  links: linksTab,
  employers: employersTab,
  alerts: alertsTab,
  audit: auditTab,
};

/** A list of employers may be this long. */
const LARGEST_FORM_BYTES = 8_000_000;

export const settings = new Hono<ConsoleEnv>()
  .get("/console/settings", (c) => tabOf(c.req.url)?.show(c) ?? noTab(c))
  .post(
    "/console/settings",
    bodyLimit({ maxSize: LARGEST_FORM_BYTES, onError: tooLarge }),
    async (c) => tabOf(c.req.url)?.act(c, await formOf(c)) ?? noTab(c),
  );

function tabOf(address: string): SettingsTab | undefined {
  const name = tabNameOf(new URL(address));
  return Object.hasOwn(TABS, name) ? TABS[name] : undefined;
}

function noTab(c: ConsoleContext): Response {
  return noSuch(c, {
    noun: "tab",
    section: "settings",
    list: { href: to.settings(), label: "Go to Settings" },
  });
}

function tooLarge(c: ConsoleContext): Response {
  const words = "It may have 8 MB. Nothing was changed: import a long list in parts.";
  if (isScript(c)) return c.json({ message: `The list is too long. ${words}` }, 400);
  return settingsPage(
    c,
    { title: "Too long", status: 400 },
    <div class="state failed" role="alert">
      <h1>The form is too long</h1>
      <p>{words}</p>
    </div>,
  );
}
