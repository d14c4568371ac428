/** The API reference, which every gateway serves beside the console. */
import type { Child } from "hono/jsx";
import { usePage } from "../../page-state.ts";
import { to } from "../../paths.ts";

/** `page` is a chapter of the reference. It allows no frames, so an embedded page opens it in a tab of its own. */
export function Reference({
  page,
  class: name,
  children,
}: {
  page?: string;
  class?: string;
  children: Child;
}) {
  const { session } = usePage();
  return (
    <a
      class={name}
      href={page === undefined ? to.reference() : to.referencePage(page)}
      target={session.embedded ? "_blank" : undefined}
    >
      {children}
    </a>
  );
}
