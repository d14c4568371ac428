/** Settings: what an owner's systems and people come in with, and what operators look after. The address names the tab. */
import { Hono } from "hono";
import type { ConsoleEnv } from "../../console-host.ts";
import { formOf } from "../../form.ts";
import { noSuch } from "../../not-found.tsx";
import { to } from "../../paths.ts";
import { linksTab } from "./access/links.tsx";
import { sessionsTab } from "./access/sessions.tsx";
import { alertsTab } from "./alerts/alerts-tab.tsx";
import { auditTab } from "./audit/audit.tsx";
import { keysTab } from "./keys/keys.tsx";
import { type SettingsTab, tabNameOf } from "./settings-page.tsx";

const TABS: Record<string, SettingsTab> = {
  keys: keysTab,
  sessions: sessionsTab,
  links: linksTab,
  alerts: alertsTab,
  audit: auditTab,
};

export const settings = new Hono<ConsoleEnv>()
  .get("/console/settings", (c) => tabOf(c.req.url)?.show(c) ?? noTab(c))
  .post("/console/settings", async (c) => tabOf(c.req.url)?.act(c, await formOf(c)) ?? noTab(c));

function tabOf(address: string): SettingsTab | undefined {
  const name = tabNameOf(new URL(address));
  return Object.hasOwn(TABS, name) ? TABS[name] : undefined;
}

function noTab(c: Parameters<typeof noSuch>[0]): Response {
  return noSuch(c, {
    noun: "tab",
    section: "settings",
    list: { href: to.settings(), label: "Go to Settings" },
  });
}
