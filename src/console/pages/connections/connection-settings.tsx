/** The tab of a connection's settings: each with what it means, and what has changed meanwhile beside what was wanted. */
import { ENVIRONMENTS, PLANS } from "../../../model.ts";
import type { ShownConnection } from "../../../portal/connections/connection-contract.ts";
import type { ApiError, ApiResult } from "../../api.ts";
import { usePage } from "../../page-state.ts";
import { sentence } from "../../parts/badge.tsx";
import { ChoiceField, type FieldProps, TextField } from "../../parts/fields.tsx";
import { Notice, Panel } from "../../parts/panels.tsx";
import { PLAN_WORDS } from "../../parts/plan-words.ts";
import { Refused } from "../../parts/states.tsx";
import { Table } from "../../parts/table.tsx";
import { mayManage, VIEW_ONLY } from "../../session.ts";
import { EmployerField, type Employers } from "../setup/who-fields.tsx";
import { LABELS, SETTINGS, type Setting, type Settings, settingsOf, type Typed } from "./setting-values.ts";

const SAME_BODY_WORDS: Record<ShownConnection["same_body"], string> = {
  accept: "Accept it as a report of its own, with a warning",
  deduplicate: "Treat it as a repeat of the first one",
};

interface SettingsTabProps {
  connection: ShownConnection;
  etag: string | null;
  employers: ApiResult<Employers>;
  /** What was typed, if a save was refused. */
  typed: Typed | null;
  refused: ApiError | null;
}

export function SettingsTab({ connection, etag, employers, typed, refused }: SettingsTabProps) {
  const { session, url } = usePage();
  const now = settingsOf(connection);
  const isOvertaken = refused?.code === "PRECONDITION_FAILED";
  const overtaken =
    typed !== null && isOvertaken ? SETTINGS.filter((name) => typed.was[name] !== now[name]) : [];
  const shown = typed === null ? now : mergedOf(typed, now);
  const problems = refused?.details ?? {};
  const field = (name: Setting): FieldProps => ({
    name,
    label: LABELS[name],
    value: shown[name],
    problem: typeof problems[name] === "string" ? problems[name] : null,
    isDisabled: !mayManage(session),
  });
  const { owner_type: type, owner_id: id } = connection;
  return (
    <Panel title="Settings">
      {refused !== null && !isOvertaken && <Refused error={refused} what="Nothing was saved." />}
      {typed !== null && isOvertaken && <Overtaken names={overtaken} typed={typed} now={now} />}
      <form method="post" action={`${url.pathname}${url.search}`} data-busy="Saving…">
        <input type="hidden" name="act" value="save" />
        {etag !== null && <input type="hidden" name="etag" value={etag} />}
        {SETTINGS.map((name) => (
          <input type="hidden" name={`was_${name}`} value={now[name]} />
        ))}
        <div class="fields">
          <TextField {...field("description")} hint="What people call it, in lists and in mails." />
          <TextField
            {...field("notification_email")}
            type="email"
            hint="Receives the mails about alerts of this connection, such as many refused reports. Without one, they go to Audit1."
          />
          <EmployerField
            employers={employers}
            owner={{ type, id }}
            chosen={shown.employer_id}
            problem={field("employer_id").problem}
          />
          <ChoiceField
            {...field("environment")}
            options={ENVIRONMENTS.map((value) => ({ value, label: sentence(value) }))}
            hint="Reports from now on belong to it: webhooks of the other environment hear no more of them. Earlier reports and counts stay where they are."
          />
          <PlanField field={field("plan")} />
          <TextField
            {...field("default_wait_seconds")}
            type="number"
            hint="Seconds that an answer is held back until the files-creator has answered, at most 30. With 0, the answer is 202 as soon as the report is stored."
          />
          <ChoiceField
            {...field("same_body")}
            options={Object.entries(SAME_BODY_WORDS).map(([value, label]) => ({ value, label }))}
            hint="What happens to the same bytes, signed anew, within an hour. A repeat makes no second file."
          />
          <TextField
            {...field("retention_years")}
            type="number"
            hint="Years for which reports from now on are kept in the archive, from 1 to 10. Reports before keep the time that they came with."
          />
        </div>
        {mayManage(session) ? (
          <p class="buttons">
            <button type="submit" class="primary">
              Save settings
            </button>
          </p>
        ) : (
          <p class="quiet">{VIEW_ONLY}</p>
        )}
      </form>
    </Panel>
  );
}

function PlanField({ field }: { field: FieldProps }) {
  const { session } = usePage();
  if (session.owner === null)
    return (
      <ChoiceField
        {...field}
        options={PLANS.map((value) => ({ value, label: PLAN_WORDS[value] }))}
        hint="How many reports it may send. What is above is refused with 429 and has to be sent again."
      />
    );
  const plan = PLANS.find((each) => each === field.value);
  return (
    <div class="field">
      <span>{field.label}</span>
      <strong>{plan === undefined ? field.value : PLAN_WORDS[plan]}</strong>
      <span class="hint">Agreed with Audit1. For more, ask Audit1.</span>
    </div>
  );
}

/** What was typed stands where the reader changed something; everything else is as it is now. */
function mergedOf({ was, wanted }: Typed, now: Settings): Settings {
  const entries = SETTINGS.map((name) => [name, wanted[name] === was[name] ? now[name] : wanted[name]]);
  return Object.fromEntries(entries) as Settings;
}

interface OvertakenProps {
  names: readonly Setting[];
  typed: Typed;
  now: Settings;
}

/** The change was made on an older version: nothing that was typed is lost. */
function Overtaken({ names, typed: { was, wanted }, now }: OvertakenProps) {
  const shown = (value: string) => (value === "" ? <span class="none">none</span> : value);
  return (
    <Notice meaning="warning">
      <p>
        <strong>Nothing was saved: somebody else has changed this connection since you opened it.</strong>{" "}
        Your changes stand in the form below. Save again to make them on top of what it is now.
      </p>
      {names.length > 0 && (
        <Table
          caption="What has changed meanwhile"
          columns={[
            { head: "Setting", cell: (name) => LABELS[name] },
            { head: "When you opened it", cell: (name) => shown(was[name]) },
            { head: "Now", cell: (name) => shown(now[name]) },
            {
              head: "You want",
              cell: (name) => (wanted[name] === was[name] ? "no change" : shown(wanted[name])),
            },
          ]}
          rows={names}
        />
      )}
      {names.length === 0 && <p>None of its settings differs: its status or its secrets have changed.</p>}
    </Notice>
  );
}
