/** Docs: the quick start, signatures with a calculator, the registry of errors, and what has changed. */

import { Hono } from "hono";
import type { Child } from "hono/jsx";
import type { ShownConnection } from "../../../portal/connections/connection-contract.ts";
import type { Script } from "../../assets.ts";
import type { ConsoleContext, ConsoleEnv } from "../../console-host.ts";
import { page } from "../../page.tsx";
import { Heading, Tabs } from "../../parts/panels.tsx";
import { ChangelogPage } from "./changelog-page.tsx";
import { ErrorsPage } from "./errors-page.tsx";
import { Reference } from "./reference-link.tsx";
import { SignaturesPage } from "./signatures-page.tsx";
import { type NewestConnection, StartPage } from "./start-page.tsx";

interface DocPage {
  label: string;
  scripts: readonly Script[];
  content(c: ConsoleContext): Child | Promise<Child>;
}

const PAGES = {
  start: {
    label: "Quick start",
    scripts: [],
    content: async (c) => {
      const newest = await newestConnection(c);
      return <StartPage newest={newest} />;
    },
  },
  signatures: { label: "Signatures", scripts: ["calculator.js"], content: () => <SignaturesPage /> },
  errors: { label: "Errors", scripts: ["search-rows.js"], content: () => <ErrorsPage /> },
  changelog: { label: "Changelog", scripts: [], content: () => <ChangelogPage /> },
} satisfies Record<string, DocPage>;

/** An address that names no page shows the first. */
function pageOf(c: ConsoleContext): DocPage {
  const named = c.req.query("page") ?? "";
  return Object.entries(PAGES).find(([name]) => name === named)?.[1] ?? PAGES.start;
}

export const docs = new Hono<ConsoleEnv>().get("/console/docs", async (c) => {
  const { label, scripts, content } = pageOf(c);
  const shown = await content(c);
  return page(
    c,
    { title: `${label} · Docs`, section: "docs", scripts },
    <>
      <Heading title="Docs" actions={<Reference class="button">API reference</Reference>} />
      <Tabs name="page" tabs={Object.entries(PAGES).map(([value, each]) => ({ value, label: each.label }))} />
      {shown}
    </>,
  );
});

async function newestConnection(c: ConsoleContext): Promise<NewestConnection> {
  const [session, scope] = [c.get("session"), c.get("scope")];
  // Staff who look at all owners have no connections of their own.
  if (session.owner === null && scope.owner === null) return null;
  const listed = await c.get("api").get<{ connections: ShownConnection[] }>("/connections", {
    environment: scope.environment ?? "sandbox",
    limit: 1,
  });
  return listed.ok ? { ...listed, body: listed.body.connections[0] ?? null } : listed;
}
