/** Asks staff whose objects they want to see, where the API lists those of one owner at a time. */
import { OWNER_TYPES } from "../../model.ts";
import { usePage } from "../page-state.ts";
import { sentence } from "./badge.tsx";
import { Hidden, OwnerField } from "./scope-fields.tsx";

/** `what`: such as `connections`. */
export function AskOwner({ what }: { what: string }) {
  const { url } = usePage();
  // A cursor is that of another list.
  const { owner, cursor, ...kept } = Object.fromEntries(url.searchParams);
  return (
    <div class="state">
      <p>Whose {what}? They are listed for one owner at a time.</p>
      <form method="get" action={url.pathname} class="fields">
        <Hidden values={kept} />
        <OwnerField required>
          <span class="hint">
            The owner's type, a slash, and its id. Types:{" "}
            {OWNER_TYPES.map((type) => sentence(type).toLowerCase()).join(", ")}.
          </span>
        </OwnerField>
        <button type="submit" class="primary">
          Show {what}
        </button>
      </form>
    </div>
  );
}
