/** What can be done to a whole connection, as dialogs that say what it means. */
import type { ShownConnection } from "../../../portal/connections/connection-contract.ts";
import type { ApiError } from "../../api.ts";
import { usePage } from "../../page-state.ts";
import { Action, ActionForm, Dialog } from "../../parts/dialog.tsx";
import { Link, useChanged } from "../../parts/link.tsx";
import { Notice } from "../../parts/panels.tsx";
import { Refused } from "../../parts/states.tsx";
import { Instant } from "../../parts/values.tsx";

type ConnectionAction = "deactivate" | "activate" | "delete" | "erase";

/** Time to change one's mind about an erasure. From the contract of `DELETE /connections/{id}`. */
const ERASED_AFTER_MS = 7 * 86_400_000;

export function ConnectionButtons({ connection: { status } }: { connection: ShownConnection }) {
  return (
    <>
      {status === "active" ? (
        <Action name="deactivate">Deactivate</Action>
      ) : (
        <Action name="activate">Activate</Action>
      )}
      <Action name="delete" danger>
        Delete
      </Action>
    </>
  );
}

interface DialogsProps {
  etag: string | null;
  /** The action that the API refused, and why. */
  refused: { act: string; error: ApiError } | null;
}

export function ConnectionDialogs({ etag, refused }: DialogsProps) {
  const change = useChanged();
  const hiddenOf = (act: ConnectionAction) => ({ act, ...(etag !== null && { etag }) });
  const problem = (...acts: ConnectionAction[]) =>
    refused !== null && acts.some((act) => act === refused.act) ? <NotDone error={refused.error} /> : null;
  return (
    <>
      <Dialog name="deactivate" title="Deactivate this connection">
        {problem("deactivate")}
        <p>
          From now on, every report to it is refused with 403 <code>CONNECTION_INACTIVE</code>, and its sender
          has to send it again later. Refused reports are not kept.
        </p>
        <p>
          Reports that were accepted go on, and stay. Activating it takes this back at once: address and
          secrets stay.
        </p>
        <ActionForm
          hidden={hiddenOf("deactivate")}
          submit="Deactivate connection"
          danger
          busy="Deactivating…"
        />
      </Dialog>
      <Dialog name="activate" title="Activate this connection">
        {problem("activate")}
        <p>
          It accepts reports again at once, at the same address and with the same secrets. What was refused
          meanwhile has to be sent again by its sender.
        </p>
        <ActionForm hidden={hiddenOf("activate")} submit="Activate connection" busy="Activating…" />
      </Dialog>
      <Dialog name="delete" title="Delete this connection">
        {problem("delete", "erase")}
        <p>
          Its address answers 404 from now on. <strong>This cannot be taken back:</strong> a new connection
          has another address and another secret. To stop reports for a while, deactivate it instead.
        </p>
        <p>
          Reports that were accepted go on, and stay readable in the archive for as long as they are retained.
        </p>
        <ActionForm hidden={hiddenOf("delete")} submit="Delete connection" danger busy="Deleting…" />
        <p class="quiet">
          To make its reports unreadable too,{" "}
          <Link href={change({ do: "erase" })}>delete it and erase its reports</Link>.
        </p>
      </Dialog>
      <Dialog name="erase" title="Delete this connection and erase its reports">
        {problem("erase")}
        <p>Its address answers 404 from now on, which cannot be taken back.</p>
        <EraseWords />
        <ActionForm hidden={hiddenOf("erase")} submit="Delete and erase" danger busy="Deleting…" />
      </Dialog>
    </>
  );
}

export function EraseWords() {
  const { now } = usePage();
  return (
    <>
      <Notice meaning="bad">
        <p>
          <strong>
            After <Instant at={now + ERASED_AFTER_MS} /> nobody can read its reports any more:
          </strong>{" "}
          their key is deleted, and with it everything that is sealed under it, in the archive too. Counts
          stay.
        </p>
      </Notice>
      <p>
        Until then, the erasure can be cancelled on this connection's page. Afterwards, nothing brings the
        reports back.
      </p>
    </>
  );
}

export function NotDone({ error }: { error: ApiError }) {
  if (error.code !== "PRECONDITION_FAILED") return <Refused error={error} what="Nothing was changed." />;
  return (
    <Notice meaning="warning">
      <p>
        <strong>Nothing was changed.</strong> Somebody else has changed this connection since you opened the
        page. It is shown as it is now: look at its history, and confirm again if you still want this.
      </p>
    </Notice>
  );
}
