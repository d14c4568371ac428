/** The page of a connection that was deleted: what is left of it, and the erasure of its reports. */
import type { Found } from "../../../portal/lookup/lookup-contract.ts";
import type { ConsoleContext } from "../../console-host.ts";
import { page, statusOfRefused } from "../../page.tsx";
import { usePage } from "../../page-state.ts";
import { StateBadge } from "../../parts/badge.tsx";
import { Action, ActionForm, Dialog } from "../../parts/dialog.tsx";
import { History, readHistory } from "../../parts/history.tsx";
import { Facts, Heading, Notice, Panel } from "../../parts/panels.tsx";
import { DoneAsNamed } from "../../parts/states.tsx";
import { Id, Instant } from "../../parts/values.tsx";
import { EraseWords, NotDone } from "./connection-actions.tsx";
import type { Outcome } from "./post-outcome.ts";

type FoundConnection = Extract<Found, { kind: "connection" }>;

const DONE: Record<string, string> = {
  deleted: "Deleted. Its address answers 404.",
  erased: "Deleted, and its reports will be erased.",
  kept: "The erasure is cancelled. Its reports stay readable.",
};

export async function deletedConnection(
  c: ConsoleContext,
  found: FoundConnection,
  outcome: Outcome | null,
): Promise<Response> {
  const refused = outcome !== null && "refused" in outcome ? outcome.refused : null;
  return page(
    c,
    {
      title: "Deleted connection",
      section: "connections",
      status: refused === null ? 200 : statusOfRefused(refused),
    },
    <>
      <DeletedHead found={found} />
      {refused !== null && <NotDone error={refused.error} />}
      <ErasureDialogs />
      <WhatIsLeft found={found} />
      <Panel title="History">
        <History found={await readHistory(c, `connection:${found.id}`)} />
      </Panel>
    </>,
  );
}

function DeletedHead({ found: { id, summary } }: { found: FoundConnection }) {
  const { now } = usePage();
  const { erase_at: eraseAt } = summary;
  const isErased = eraseAt !== null && Date.parse(eraseAt) <= now;
  return (
    <>
      <Heading
        title="Deleted connection"
        aside={
          <>
            <StateBadge state="deleted" />
            <Id id={id} />
          </>
        }
        actions={
          eraseAt === null ? (
            <Action name="erase" danger>
              Erase its reports
            </Action>
          ) : (
            <Action name="keep" unavailable={isErased ? "Its reports have been erased." : null}>
              Cancel erasure
            </Action>
          )
        }
      >
        It accepts no reports and cannot be brought back: set up another one, with an address and a secret of
        its own.
      </Heading>
      <DoneAsNamed words={DONE} />
      {eraseAt !== null && (
        <Notice meaning={isErased ? "waiting" : "bad"}>
          {isErased ? (
            <p>
              Its reports were erased <Instant at={eraseAt} />. Nothing brings them back.
            </p>
          ) : (
            <p>
              <strong>
                After <Instant at={eraseAt} /> nobody can read its reports any more.
              </strong>{" "}
              Until then, the erasure can be cancelled.
            </p>
          )}
        </Notice>
      )}
    </>
  );
}

function ErasureDialogs() {
  return (
    <>
      <Dialog name="erase" title="Erase the reports of this connection">
        <EraseWords />
        <ActionForm hidden={{ act: "erase" }} submit="Erase reports" danger busy="Ordering…" />
      </Dialog>
      <Dialog name="keep" title="Cancel the erasure">
        <p>Its reports stay readable for as long as they are retained. The connection stays deleted.</p>
        <ActionForm hidden={{ act: "keep" }} submit="Cancel erasure" busy="Cancelling…" />
      </Dialog>
    </>
  );
}

function WhatIsLeft({ found: { summary } }: { found: FoundConnection }) {
  const { session } = usePage();
  const { owner_type, owner_id, environment, employer_id, created_at, deleted_at } = summary;
  return (
    <Facts
      facts={[
        ["Owner", session.owner === null ? `${owner_type}/${owner_id}` : null],
        ["Environment", environment],
        ["Employer", employer_id],
        ["Created", <Instant at={created_at} />],
        ["Deleted", deleted_at === null ? null : <Instant at={deleted_at} />],
      ]}
    />
  );
}
