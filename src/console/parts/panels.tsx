/** The blocks that pages are made of. */
import type { Child } from "hono/jsx";
import { usePage } from "../page-state.ts";
import { changed } from "../paths.ts";
import { Link } from "./link.tsx";
import { Copy } from "./values.tsx";

interface HeadingProps {
  title: Child;
  /** A state badge, ids and other short facts beside the title. */
  aside?: Child;
  /** Buttons. */
  actions?: Child;
  /** One calm sentence below. */
  children?: Child;
}

export function Heading({ title, aside, actions, children }: HeadingProps) {
  return (
    <header class="heading">
      <div>
        <h1>{title}</h1>
        {aside !== undefined && <div class="aside">{aside}</div>}
      </div>
      {actions !== undefined && <div class="actions">{actions}</div>}
      {children !== undefined && <p class="lead">{children}</p>}
    </header>
  );
}

interface PanelProps {
  title?: string;
  /** For addresses, and for scripts that refresh the panel. */
  id?: string;
  /** A link or a number at the right of the title. */
  aside?: Child;
  children: Child;
}

export function Panel({ title, id, aside, children }: PanelProps) {
  return (
    <section class="panel" id={id}>
      {title !== undefined && (
        <div class="panel-head">
          <h2>{title}</h2>
          {aside}
        </div>
      )}
      {children}
    </section>
  );
}

/** Names and values. A value of null is left out. */
export function Facts({ facts }: { facts: readonly (readonly [name: string, value: Child | null])[] }) {
  return (
    <dl class="facts">
      {facts
        .filter(([, value]) => value !== null)
        .map(([name, value]) => (
          <div>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
    </dl>
  );
}

interface TabsProps {
  /** What the tabs choose, where a page has more than one row of them. */
  label?: string;
  /** The parameter of the address that holds the tab. The first tab is the one without it. */
  name?: string;
  /** Other parameters of the address that the tabs keep. A tab's filters are not those of another. */
  keep?: readonly string[];
  tabs: readonly { value: string; label: string }[];
}

export function Tabs({ name = "tab", keep = [], label = "Views", tabs }: TabsProps) {
  const { url } = usePage();
  const chosen = url.searchParams.get(name) ?? tabs[0]?.value;
  const kept = Object.fromEntries(keep.map((each) => [each, url.searchParams.get(each)]));
  return (
    <nav class="tabs" aria-label={label}>
      {tabs.map((tab, i) => (
        <Link
          href={changed(new URL(url.pathname, url), { ...kept, [name]: i === 0 ? null : tab.value })}
          current={tab.value === chosen}
        >
          {tab.label}
        </Link>
      ))}
    </nav>
  );
}

interface CodeProps {
  text: string;
  /** What the button copies: "command", "secret". */
  what?: string;
  label?: string;
  /** For one long value, such as an address: it is never cut off. */
  wraps?: boolean;
}

export function Code({ text, what = "text", label, wraps = false }: CodeProps) {
  return (
    <figure class={wraps ? "code wraps" : "code"} aria-label={label ?? what}>
      {label !== undefined && <p class="code-label">{label}</p>}
      <pre tabindex={0}>
        <code>{text}</code>
      </pre>
      <Copy text={text} what={what} label="Copy" />
    </figure>
  );
}

/** Advice or a consequence that must not be missed. */
export function Notice({
  meaning,
  children,
}: {
  meaning: "good" | "waiting" | "warning" | "bad";
  children: Child;
}) {
  return <div class={`notice ${meaning}`}>{children}</div>;
}

interface LiveProps {
  id: string;
  /** Refreshed every so many seconds; null once nothing changes any more. */
  seconds: number | null;
  /** Screen readers do not read the part again each time. For whole pages. */
  quiet?: boolean;
  children: Child;
}

/**
 * A part of the page that a script replaces with what the same address now shows. Without scripts, a reload does. An id of
 * every row lets the script mark what arrived.
 */
export function Live({ id, seconds, quiet = false, children }: LiveProps) {
  return (
    <div id={id} data-live={seconds === null ? undefined : seconds} aria-live={quiet ? "off" : "polite"}>
      {children}
    </div>
  );
}
