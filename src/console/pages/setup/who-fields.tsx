/** The fields of the step Who. */
import { ENVIRONMENTS, type Environment, PLANS, type Plan } from "../../../model.ts";
import type { ShownEmployer } from "../../../portal/employers/employer-contract.ts";
import type { ApiResult } from "../../api.ts";
import type { Scope } from "../../page-scope.ts";
import { usePage } from "../../page-state.ts";
import { sentence } from "../../parts/badge.tsx";
import { Notice } from "../../parts/panels.tsx";
import { PLAN_WORDS } from "../../parts/plan-words.ts";
import { Failed } from "../../parts/states.tsx";
import { stepAddress } from "./steps.tsx";

/** A page of the owner's employers. */
export interface Employers {
  employers: ShownEmployer[];
  next_cursor: string | null;
}

export function OwnerFact({ owner }: { owner: NonNullable<Scope["owner"]> }) {
  const { session } = usePage();
  return (
    <div class="field">
      <span>Owner</span>
      <strong>{owner.id}</strong>
      <span class="hint">
        {sentence(owner.type)}.{" "}
        {session.owner === null && <a href={stepAddress("who")}>Choose another owner</a>}
      </span>
    </div>
  );
}

const ENVIRONMENT_HINTS: Record<Environment, string> = {
  sandbox: "Test data, for building and trying out.",
  production: "Real payroll data: every report counts.",
};

export function EnvironmentField({ chosen }: { chosen: Environment }) {
  return (
    <fieldset>
      <legend>Environment</legend>
      {ENVIRONMENTS.map((environment) => (
        <label class="choice">
          <input type="radio" name="environment" value={environment} checked={environment === chosen} />
          <span>
            {sentence(environment)}
            <br />
            <span class="small quiet">{ENVIRONMENT_HINTS[environment]}</span>
          </span>
        </label>
      ))}
    </fieldset>
  );
}

export function PlanField({ chosen }: { chosen: Plan | null }) {
  const { session } = usePage();
  if (session.owner !== null)
    return (
      <div class="field">
        <span>Plan</span>
        <span class="hint">
          Follows the environment. {PLAN_WORDS.sandbox}. {PLAN_WORDS.production}. For more, ask Audit1.
        </span>
      </div>
    );
  return (
    <p class="field">
      <label for="plan">Plan</label>
      <select id="plan" name="plan">
        <option value="">As the environment</option>
        {PLANS.map((plan) => (
          <option value={plan} selected={plan === chosen}>
            {PLAN_WORDS[plan]}
          </option>
        ))}
      </select>
      <span class="hint">How many reports may be sent. It can be changed later.</span>
    </p>
  );
}

interface EmployerFieldProps {
  employers: ApiResult<Employers>;
  owner: NonNullable<Scope["owner"]>;
  chosen: string;
  problem: string | null;
}

export function EmployerField({ employers, owner, chosen, problem }: EmployerFieldProps) {
  if (!employers.ok) return <Failed error={employers.error} what="The employers" />;
  const { employers: list, next_cursor: more } = employers.body;
  return (
    <>
      <p class="field">
        <label for="employer">Employer</label>
        {more === null ? (
          <EmployerChoice list={list} chosen={chosen} />
        ) : (
          <EmployerText list={list} chosen={chosen} />
        )}
        {problem !== null && <span class="problem">{problem}</span>}
        <span class="hint">
          Optional. A connection that is bound to an employer speaks for that one only: a report that names
          another is refused. Without an employer, each report must name one that is granted to {owner.id}, by{" "}
          <code>employer_fein</code> or <code>employer_id</code>.
        </span>
      </p>
      {list.length === 0 && (
        <Notice meaning="warning">
          <p>
            <strong>No employer is granted to {owner.id} yet.</strong> You can create the connection now. Its
            reports are refused with “Could not resolve employer” until Audit1 grants one.
          </p>
        </Notice>
      )}
    </>
  );
}

function EmployerChoice({ list, chosen }: { list: readonly ShownEmployer[]; chosen: string }) {
  const isListed = chosen === "" || list.some(({ id }) => id === chosen);
  return (
    <select id="employer" name="employer_id">
      <option value="">Not bound: every report names its employer</option>
      {!isListed && (
        <option value={chosen} selected>
          {chosen}
        </option>
      )}
      {list.map(({ id, name }) => (
        <option value={id} selected={id === chosen}>
          {name} ({id})
        </option>
      ))}
    </select>
  );
}

/** More employers than a page of the API has: any id can be typed. */
function EmployerText({ list, chosen }: { list: readonly ShownEmployer[]; chosen: string }) {
  return (
    <>
      <input
        id="employer"
        type="text"
        name="employer_id"
        list="employers"
        value={chosen}
        placeholder="Not bound, or the id of an employer"
        autocomplete="off"
        spellcheck={false}
      />
      <datalist id="employers">
        {list.map(({ id, name }) => (
          <option value={id}>{name}</option>
        ))}
      </datalist>
      <span class="hint">The first {list.length} are suggested while you type.</span>
    </>
  );
}
