/**
 * Actions that ask first. A button leads to the same address with `do=…`, where the server renders the dialog open: it works
 * without scripts, and a script makes it modal.
 */
import type { Child } from "hono/jsx";
import { usePage } from "../page-state.ts";
import { mayManage, VIEW_ONLY } from "../session.ts";
import { ButtonLink, Link, useChanged } from "./link.tsx";
import { Hidden } from "./scope-fields.tsx";

interface ActionProps {
  /** The dialog's name in the address. */
  name: string;
  /** A verb and its object: "Rotate secret". */
  children: string;
  danger?: boolean;
  /** Why the action is not available now; null if it is. */
  unavailable?: string | null;
}

/** The button that opens a dialog. An unavailable one says why. */
export function Action({ name, children, danger = false, unavailable = null }: ActionProps) {
  const { session } = usePage();
  const change = useChanged();
  const why = mayManage(session) ? unavailable : VIEW_ONLY;
  if (why !== null)
    return (
      <button type="button" class={danger ? "danger" : undefined} aria-disabled="true" title={why}>
        {children}
        <span class="unseen"> (not available: {why})</span>
      </button>
    );
  return (
    <ButtonLink href={change({ do: name })} class={danger ? "danger" : ""}>
      {children}
    </ButtonLink>
  );
}

interface DialogProps {
  name: string;
  title: string;
  /** What happens, and how to take it back. */
  children: Child;
}

/** Rendered only while the address opens it. */
export function Dialog({ name, title, children }: DialogProps) {
  const { url } = usePage();
  const change = useChanged();
  if (url.searchParams.get("do") !== name) return null;
  return (
    <dialog open aria-labelledby={`dialog-${name}`} data-dialog>
      <h2 id={`dialog-${name}`}>{title}</h2>
      {children}
      <Link href={change({ do: null })} class="close">
        <span aria-hidden="true">×</span>
        <span class="unseen">Close</span>
      </Link>
    </dialog>
  );
}

interface FormProps {
  /** What is posted besides the fields. */
  hidden?: Record<string, string>;
  /** The verb on the button. */
  submit: string;
  danger?: boolean;
  /** Says on the button that work is under way while the post is. */
  busy?: string;
  children?: Child;
}

/** A form that posts to the page's own address and leads back to it. A session that may only read is told so instead. `do` in the body names the action. */
export function ActionForm({ hidden = {}, submit, danger = false, busy, children }: FormProps) {
  const { session, url } = usePage();
  const change = useChanged();
  if (!mayManage(session)) return <p class="quiet">{VIEW_ONLY}</p>;
  return (
    <form method="post" action={`${url.pathname}${url.search}`} data-busy={busy}>
      <Hidden values={hidden} />
      {children}
      <p class="buttons">
        <button type="submit" class={danger ? "danger primary" : "primary"}>
          {submit}
        </button>
        {url.searchParams.has("do") && <Link href={change({ do: null })}>Cancel</Link>}
      </p>
    </form>
  );
}
