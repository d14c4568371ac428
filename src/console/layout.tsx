/** The frame around every page: the rail of pages, the header with Find, owner and environment, and the calls behind the page. */
import type { Child } from "hono/jsx";
import { ENVIRONMENTS, OWNER_TYPES } from "../model.ts";
import type { ApiCall } from "./api.ts";
import { asset, type Script } from "./assets.ts";
import { scopeQuery } from "./page-scope.ts";
import { usePage } from "./page-state.ts";
import { Link } from "./parts/link.tsx";
import { Copy, Id } from "./parts/values.tsx";
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

function Header() {
  const { session, scope, url } = usePage();
  return (
    <header class="banner">
      <a class="menu" href="#rail">
        Pages
      </a>
      <Link href={to.now()} class="brand">
        Audit1
      </Link>
      <search class="find">
        <form method="get" action={to.find()}>
          {Object.entries(scopeQuery(scope)).map(([name, value]) => (
            <input type="hidden" name={name} value={value} />
          ))}
          <label>
            <span class="unseen">Find by id</span>
            <input
              type="search"
              name="q"
              placeholder="Find any id"
              autocomplete="off"
              spellcheck={false}
              value={url.pathname === to.find() ? (url.searchParams.get("q") ?? "") : ""}
              data-find
            />
          </label>
          <kbd>/</kbd>
        </form>
      </search>
      <details class="scope">
        <summary>
          {session.owner === null && (
            <span class="owner">{scope.owner === null ? "All owners" : scope.owner.id}</span>
          )}
          {session.owner !== null && <span class="owner">{session.owner.id}</span>}
          <span class={`environment ${scope.environment ?? "all"}`}>
            {scope.environment === null ? "Both environments" : scope.environment}
          </span>
        </summary>
        <ScopeForm />
      </details>
      <form method="post" action={to.signOut()} class="person">
        <span title={`Session ${session.id}`}>{session.person}</span>
        <button type="submit">Sign out</button>
      </form>
    </header>
  );
}

function ScopeForm() {
  const { session, scope, url } = usePage();
  return (
    <form method="get" action={url.pathname}>
      {session.owner === null && (
        <label>
          <span>Owner</span>
          <input
            type="text"
            name="owner"
            list="owner-types"
            value={scope.owner === null ? "" : `${scope.owner.type}/${scope.owner.id}`}
            placeholder="payroll_company/acme"
            autocomplete="off"
            spellcheck={false}
          />
          <datalist id="owner-types">
            {OWNER_TYPES.map((type) => (
              <option value={`${type}/`} />
            ))}
          </datalist>
        </label>
      )}
      <label>
        <span>Environment</span>
        <select name="environment">
          <option value="">Both</option>
          {ENVIRONMENTS.map((environment) => (
            <option value={environment} selected={environment === scope.environment}>
              {environment}
            </option>
          ))}
        </select>
      </label>
      <button type="submit">Show</button>
    </form>
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

/** What the page asked of the API, each as a command that asks the same. */
function Calls({ calls }: { calls: readonly ApiCall[] }) {
  const { url, requestId } = usePage();
  if (calls.length === 0) return null;
  return (
    <footer class="calls">
      <details>
        <summary>This page as {calls.length === 1 ? "an API call" : `${calls.length} API calls`}</summary>
        <p class="quiet">
          Page request <Id id={requestId} />
        </p>
        <ol>
          {calls.map((call) => (
            <li>
              <p>
                <code>
                  {call.method} {call.path}
                </code>{" "}
                <span class="quiet">
                  {call.status}, {call.ms} ms
                </span>{" "}
                <Copy text={curl(call, url.origin)} what="command" label="Copy as curl" />
              </p>
            </li>
          ))}
        </ol>
      </details>
    </footer>
  );
}

/** Credentials stay variables. A body may hold a secret, so it is read from standard input. */
function curl({ method, path, body }: ApiCall, origin: string): string {
  const lines = [
    `curl${method === "GET" ? "" : ` -X ${method}`} '${origin}${path.replaceAll("'", "%27")}'`,
    `-H "X-Client-ID: $AUDIT1_CLIENT_ID"`,
    `-H "X-Client-Secret: $AUDIT1_CLIENT_SECRET"`,
  ];
  if (body !== null) lines.push(`-H 'Content-Type: application/json'`, "--data-binary @-");
  return lines.join(" \\\n  ");
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
