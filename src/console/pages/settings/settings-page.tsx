/** What all tabs of Settings share: the frame, and what a tab answers. */
import type { Child } from "hono/jsx";
import type { ApiError, RefusedCall } from "../../api.ts";
import type { Script } from "../../assets.ts";
import type { ConsoleContext } from "../../console-host.ts";
import { type PageStatus, page } from "../../page.tsx";
import { usePage } from "../../page-state.ts";
import { Dialog } from "../../parts/dialog.tsx";
import { Tabs } from "../../parts/panels.tsx";
import { Refused } from "../../parts/states.tsx";
import { mayManage, VIEW_ONLY } from "../../session.ts";

export interface SettingsTab {
  show(c: ConsoleContext): Promise<Response>;
  /** Answers a posted form. */
  act(c: ConsoleContext, form: Record<string, string>): Promise<Response>;
}

const TABS = [
  { value: "keys", label: "API keys" },
  { value: "sessions", label: "Sessions" },
  { value: "links", label: "Portal links" },
  { value: "employers", label: "Employers" },
  { value: "alerts", label: "Alerts" },
  { value: "audit", label: "Audit trail" },
] as const;

export function tabNameOf({ searchParams }: URL): string {
  return searchParams.get("tab") || TABS[0].value;
}

interface SettingsPageOptions {
  title: string;
  status?: PageStatus;
  scripts?: readonly Script[];
}

export function settingsPage(c: ConsoleContext, options: SettingsPageOptions, content: Child): Response {
  return page(
    c,
    { ...options, section: "settings" },
    <>
      <Tabs tabs={TABS} />
      {content}
    </>,
  );
}

/** What the API refused, and which form it was. */
export interface RefusedForm {
  act: string;
  form: Record<string, string>;
  call: RefusedCall;
}

interface ChangeDialogProps {
  /** Its name in the address, and the act that its form posts. */
  name: string;
  title: string;
  refused: RefusedForm | null;
  /** What the change is about, for everybody who opens it. */
  facts?: Child;
  /** What the object is now, where it has changed since the form was opened. */
  overtaken?: Child;
  children: Child;
}

/** A dialog with one change. Says why there is no form for those who may only look. */
export function ChangeDialog({ name, title, refused, facts, overtaken, children }: ChangeDialogProps) {
  const { session } = usePage();
  const error = refused?.act === name ? refused.call.error : null;
  return (
    <Dialog name={name} title={title}>
      {facts}
      {mayManage(session) ? (
        <>
          {error !== null &&
            (isOvertaken(error) && overtaken !== undefined ? (
              overtaken
            ) : (
              <Refused error={error} what="Nothing was changed." />
            ))}
          {children}
        </>
      ) : (
        <p>{VIEW_ONLY}</p>
      )}
    </Dialog>
  );
}

/** The object has changed since it was read for the form. */
export function isOvertaken({ code }: ApiError): boolean {
  return code === "PRECONDITION_FAILED";
}
