/** The frame around every page. */
import type { Child } from "hono/jsx";
import { asset, type Script } from "./assets.ts";
import { Calls } from "./calls.tsx";
import { Header } from "./header.tsx";
import { usePage } from "./page-state.ts";
import { Link } from "./parts/link.tsx";
import { to } from "./paths.ts";
import { themeAddress } from "./theme.ts";

export type Section =
  | "now"
  | "connections"
  | "reports"
  | "webhooks"
  | "deliveries"
  | "events"
  | "metrics"
  | "settings"
  | "docs"
  | null;

const SECTIONS: readonly { section: Section; label: string; href: string }[] = [
  { section: "now", label: "Now", href: to.now() },
  { section: "connections", label: "Connections", href: to.connections() },
  { section: "reports", label: "Reports", href: to.reports() },
  { section: "webhooks", label: "Webhooks", href: to.webhooks() },
  { section: "deliveries", label: "Deliveries", href: to.deliveries() },
  { section: "events", label: "Events", href: to.events() },
  { section: "metrics", label: "Metrics", href: to.metrics() },
  { section: "settings", label: "Settings", href: to.settings() },
  { section: "docs", label: "Docs", href: to.docs() },
];

interface DocumentProps {
  title: string;
  scripts: readonly Script[];
  styles?: readonly "charts.css"[];
  /** A stylesheet with the colours of the portal that embeds the page. */
  theme?: string | null;
  bodyClass?: string | undefined;
  children: Child;
}

export function Document({ title, scripts, styles = [], theme = null, bodyClass, children }: DocumentProps) {
  return (
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <title>{title === "Audit1" ? title : `${title} · Audit1`}</title>
        <link rel="icon" href="data:," />
        <link rel="stylesheet" href={asset("console.css")} />
        {styles.map((name) => (
          <link rel="stylesheet" href={asset(name)} />
        ))}
        {theme !== null && <link rel="stylesheet" href={theme} />}
        {scripts.map((name) => (
          <script type="module" src={asset(name)} />
        ))}
      </head>
      <body class={bodyClass}>{children}</body>
    </html>
  );
}

export interface ShellProps {
  title: string;
  section: Section;
  scripts?: readonly Script[];
  charts?: boolean;
  children: Child;
}

/** A page of somebody who is signed in. */
export function Shell({ title, section, scripts = [], charts = false, children }: ShellProps) {
  const { session, scope, calls } = usePage();
  const all: Script[] = ["console.js", ...scripts, ...(charts ? (["charts.js"] as const) : [])];
  const isSandbox = scope.environment === "sandbox";
  const bodyClass = [session.embedded && "embedded", isSandbox && "sandbox"].filter(Boolean).join(" ");
  return (
    <Document
      title={title}
      scripts={all}
      styles={charts ? ["charts.css"] : []}
      theme={scope.accent === null ? null : themeAddress(scope.accent)}
      bodyClass={bodyClass || undefined}
    >
      <a class="skip" href="#content">
        Skip to content
      </a>
      {!session.embedded && <Header />}
      <div class="shell">
        {!session.embedded && <Rail section={section} />}
        <main id="content" tabindex={-1}>
          {children}
          <Calls calls={calls} />
        </main>
      </div>
    </Document>
  );
}

function Rail({ section }: { section: Section }) {
  return (
    <nav class="rail" id="rail" aria-label="Pages">
      <ul>
        {SECTIONS.map((each) => (
          <li>
            <Link href={each.href} current={each.section === section}>
              {each.label}
            </Link>
          </li>
        ))}
      </ul>
      <a class="close" href="#content">
        Close
      </a>
    </nav>
  );
}

/** A page of somebody who is not signed in, or one that could not be made. */
export function PlainPage({
  title,
  scripts = [],
  children,
}: {
  title: string;
  scripts?: readonly Script[];
  children: Child;
}) {
  return (
    <Document title={title} scripts={scripts}>
      <main class="plain-page" id="content" tabindex={-1}>
        {children}
      </main>
    </Document>
  );
}
