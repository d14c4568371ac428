/** The page in place of an object that does not exist, or that the reader may not see. */
import type { Child } from "hono/jsx";
import type { ConsoleContext } from "./console-host.ts";
import type { Section } from "./layout.tsx";
import { page } from "./page.tsx";
import { ButtonLink } from "./parts/link.tsx";

interface Missing {
  /** Such as `connection`. */
  noun: string;
  section: Section;
  /** Where the others of its kind are. */
  list: { href: string; label: string };
  /** A paragraph about where it may be. */
  more?: Child;
}

export function noSuch(c: ConsoleContext, { noun, section, list, more }: Missing): Response {
  const title = `No such ${noun}`;
  return page(
    c,
    { title, section, status: 404 },
    <div class="state">
      <h1>{title}</h1>
      <p>
        The id may be incomplete, or the {noun} may belong to{" "}
        {c.get("scope").owner === null ? "somebody else" : "another owner than the one that is chosen above"}.
      </p>
      {more !== undefined && <p>{more}</p>}
      <ButtonLink href={list.href}>{list.label}</ButtonLink>
    </div>,
  );
}
