/** Links and addresses within the console, which keep the reader's scope. */
import type { Child } from "hono/jsx";
import { withScope } from "../page-scope.ts";
import { usePage } from "../page-state.ts";
import { changed } from "../paths.ts";

interface LinkProps {
  href: string;
  class?: string;
  title?: string;
  current?: boolean;
  children?: Child;
}

export function Link({ href, class: name, title, current, children }: LinkProps) {
  const { scope } = usePage();
  return (
    <a href={withScope(href, scope)} class={name} title={title} aria-current={current ? "page" : undefined}>
      {children}
    </a>
  );
}

/** A link that looks like a button: it leads to a page or opens a dialog, and changes nothing. */
export function ButtonLink({ class: name = "", ...link }: LinkProps) {
  return <Link class={`button ${name}`.trim()} {...link} />;
}

/** The present address with some parameters changed; null removes one. */
export function useChanged(): (query: Parameters<typeof changed>[1]) => string {
  const { url } = usePage();
  return (query) => changed(url, query);
}
