/** The page of one piece of work in the background: its state, how to cancel it, and what its kind shows of it. */
import type { Child } from "hono/jsx";
import type { RefusedCall } from "../../api.ts";
import type { ConsoleContext } from "../../console-host.ts";
import type { Section } from "../../layout.tsx";
import { page, statusOfRefused } from "../../page.tsx";
import { StateBadge } from "../../parts/badge.tsx";
import { Action, ActionForm, Dialog } from "../../parts/dialog.tsx";
import { ButtonLink } from "../../parts/link.tsx";
import { Heading, Live } from "../../parts/panels.tsx";
import { DoneAsNamed, Refused } from "../../parts/states.tsx";
import { Id } from "../../parts/values.tsx";

const REFRESHED_EVERY_S = 2;

const DONE = {
  begun: "Begun. This page follows it; its address is enough to come back.",
  cancelled: "Cancelled. What was queued by then is still sent.",
} as const;

interface Work {
  id: string;
  title: string;
  section: Section;
  status: string;
  /** The list of its kind. */
  list: { href: string; label: string };
  cancel: { title: string; consequence: string; submit: string };
  /** Why it was not cancelled. */
  refused: RefusedCall | null;
}

export function workPage(
  c: ConsoleContext,
  { id, title, section, status, list, cancel, refused }: Work,
  content: Child,
): Response {
  const isRunning = status === "running";
  const refresh = isRunning ? REFRESHED_EVERY_S : null;
  return page(
    c,
    { title, section, status: refused === null ? 200 : statusOfRefused(refused) },
    <>
      <Heading
        title={title}
        aside={
          <>
            <Live id="state" seconds={refresh}>
              <StateBadge state={status} />
            </Live>
            <Id id={id} whole />
          </>
        }
        actions={
          <>
            <ButtonLink href={list.href}>{list.label}</ButtonLink>
            <Action name="cancel" danger unavailable={isRunning ? null : "It has ended."}>
              Cancel
            </Action>
          </>
        }
      />
      <DoneAsNamed words={DONE} />
      {refused !== null && <Refused error={refused.error} what="It was not cancelled." />}
      <Dialog name="cancel" title={cancel.title}>
        <p>{cancel.consequence}</p>
        <ActionForm hidden={{ do: "cancel" }} submit={cancel.submit} danger busy="Cancelling…" />
      </Dialog>
      <Live id="work" quiet seconds={refresh}>
        {content}
      </Live>
    </>,
  );
}
