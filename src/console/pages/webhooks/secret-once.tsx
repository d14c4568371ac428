/** A secret in the answer to the form that made it. */
import { Code, Notice, Panel } from "../../parts/panels.tsx";

export function SecretOnce({ secret }: { secret: string }) {
  return (
    <Panel title="Secret">
      <Code text={secret} what="secret" wraps />
      <Notice meaning="warning">
        <p>
          <strong>The secret is shown now, and never again.</strong> The gateway keeps it sealed to sign
          deliveries; nobody can read it to you. Store it where the receiving system keeps its passwords
          before you go on. If it gets lost, rotate it: the webhook stays as it is.
        </p>
      </Notice>
    </Panel>
  );
}
