/** What changed for the people who use the API and the console, newest first. */
import { Panel } from "../../parts/panels.tsx";
import { Prose } from "../../parts/prose.tsx";
import { CHANGELOG } from "./changelog.ts";

export function ChangelogPage() {
  return (
    <div class="stack wide">
      {CHANGELOG.map(({ date, changes }) => (
        <Panel title={date} id={date}>
          <ul class="bullets">
            {changes.map((change) => (
              <li>
                <Prose text={change} />
              </li>
            ))}
          </ul>
        </Panel>
      ))}
    </div>
  );
}
