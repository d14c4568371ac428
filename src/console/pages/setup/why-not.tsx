/** Said once, where a session that may only look meets what it cannot do. */
import { usePage } from "../../page-state.ts";
import { Notice } from "../../parts/panels.tsx";
import { mayManage } from "../../session.ts";

export function WhyNot() {
  const { session } = usePage();
  if (mayManage(session)) return null;
  return (
    <Notice meaning="warning">
      <p>
        <strong>You may look, but not set up a connection.</strong> Your link to this console allows viewing
        only. Ask whoever gave it to you for one that allows managing, and open that one here.
      </p>
    </Notice>
  );
}
