/** Find: any id leads to its page. What has no page of its own is shown here, with everything related. */
import { Hono } from "hono";
import type { ShownJob } from "../../../portal/jobs/job-contract.ts";
import { consolePathOf } from "../../../portal/lookup/console-path-of.ts";
import type { Found } from "../../../portal/lookup/lookup-contract.ts";
import type { ApiError } from "../../api.ts";
import type { ConsoleContext, ConsoleEnv } from "../../console-host.ts";
import { type PageStatus, page, statusOfRefused } from "../../page.tsx";
import { withScope } from "../../page-scope.ts";
import { usePage } from "../../page-state.ts";
import { Heading } from "../../parts/panels.tsx";
import { EnvironmentField, Hidden, OwnerField, ScopeInputs } from "../../parts/scope-fields.tsx";
import { Failed } from "../../parts/states.tsx";
import { Instant } from "../../parts/values.tsx";
import { changed, to } from "../../paths.ts";
import { FoundObject } from "./found-object.tsx";
import { kindOf, pastedId } from "./pasted-id.ts";

export const find = new Hono<ConsoleEnv>().get("/console/find", async (c) => {
  const pasted = c.req.query("q") ?? "";
  const id = pastedId(pasted);
  if (pasted.trim() === "") return answer(c, "Find", 200, <Ask />);
  if (id === null) return answer(c, "Find", 400, <NoId />);
  const found = await c.get("api").get<Found>(`/lookup/${encodeURIComponent(id)}`, {
    environment: c.get("scope").environment,
  });
  if (found.ok) {
    const path = consolePathOf(found.body);
    if (!path.startsWith(to.find())) return c.redirect(withScope(path, c.get("scope")), 303);
    return answer(c, found.body.id, 200, <FoundObject found={found.body} />);
  }
  const { error } = found;
  if (found.status === 404) {
    const job = await jobPath(c, id);
    return job === null
      ? answer(c, "Not found", 404, <Unknown id={id} error={error} />)
      : c.redirect(job, 303);
  }
  if (found.status === 400 && error.error.startsWith("owner_"))
    return answer(c, "Find", 200, <WhoseEvent id={id} />);
  return answer(c, "Find", statusOfRefused(found), <Failed error={error} what={`What ${id} names`} />);
});

function answer(c: ConsoleContext, title: string, status: PageStatus, content: ReturnType<typeof Ask>) {
  return page(c, { title, section: null, status }, content);
}

/** The look-up does not know jobs, whose ids have the form of an object's. */
async function jobPath(c: ConsoleContext, id: string): Promise<string | null> {
  if (!/^[0-9a-f]{24}$/i.test(id)) return null;
  const job = await c.get("api").get<{ job: ShownJob }>(`/jobs/${id.toLowerCase()}`);
  return job.ok ? withScope(to.job(job.body.job.id), c.get("scope")) : null;
}

function Ask() {
  return (
    <>
      <Heading title="Find">
        Paste the id of anything, or the line of a mail or a log that holds it. It leads to its page.
      </Heading>
      <FindForm text="" />
      <Examples />
    </>
  );
}

function NoId() {
  const { url } = usePage();
  return (
    <>
      <Heading title="There is no id in this text" />
      <FindForm text={url.searchParams.get("q") ?? ""} />
      <Examples />
    </>
  );
}

function FindForm({ text }: { text: string }) {
  return (
    <form method="get" action={to.find()} class="fields">
      <ScopeInputs />
      <label class="field">
        <span>Id, or a text that holds it</span>
        <input type="search" name="q" value={text} maxlength={2000} autocomplete="off" spellcheck={false} />
      </label>
      <p>
        <button type="submit" class="primary">
          Find
        </button>
      </p>
    </form>
  );
}

const FORMS: readonly [form: string, names: string][] = [
  ["req_…", "a request: request_id in every answer, and X-Audit1-Request-Id"],
  ["FILE_…", "a report"],
  ["del_…", "a delivery"],
  ["evt_…", "an event"],
  ["wh_…", "a webhook"],
  ["ak_…", "an API key"],
  ["24 hex digits", "a connection, or any of the above without its prefix"],
  ["anything else", "an employer, or an event whose reporter chose its id"],
];

function Examples() {
  return (
    <dl class="facts">
      {FORMS.map(([form, names]) => (
        <div>
          <dt>
            <code>{form}</code>
          </dt>
          <dd>{names}</dd>
        </div>
      ))}
    </dl>
  );
}

function Unknown({ id, error }: { id: string; error: ApiError }) {
  const { url, scope, session } = usePage();
  const at = error.details?.requested_at;
  const isEvents = /^evt_/i.test(id);
  return (
    <>
      <Heading title="Nothing was found">
        Looked for {kindOf(id)} with the id <code>{id}</code>
        {scope.owner !== null && <> among those of {scope.owner.id}</>}
        {scope.environment !== null && isEvents && <>, in {scope.environment}</>}.
      </Heading>
      <div class="state">
        {typeof at === "string" && (
          <p>
            By its id, the request came <Instant at={at} />. Those are kept that brought a report or changed
            something, for 90 days, and refused reports for 30 days; of a flood, twenty a minute.
          </p>
        )}
        {/^FILE_/i.test(id) && <p>Reports are found for 90 days. An id that was cut short names nothing.</p>}
        {scope.owner !== null && (
          <a class="button" href={changed(url, { owner: null })}>
            Look among all owners
          </a>
        )}
        {session.owner === null && scope.owner === null && mayBeEvent(id) && (
          <>
            <p>If it is the id of an event that its reporter chose, say whose event it is.</p>
            <OwnerForm id={id} />
          </>
        )}
      </div>
    </>
  );
}

const mayBeEvent = (id: string) => !/^(?:req|file|del|wh|ak|evt)_/i.test(id);

/** An event's id is unique within one owner and environment. */
function WhoseEvent({ id }: { id: string }) {
  return (
    <>
      <Heading title="Whose event?">An event's id is unique within one owner and environment only.</Heading>
      <OwnerForm id={id} />
    </>
  );
}

function OwnerForm({ id }: { id: string }) {
  const { scope } = usePage();
  return (
    <form method="get" action={to.find()} class="fields">
      <Hidden values={{ q: id, accent: scope.accent }} />
      <OwnerField required />
      <EnvironmentField any="Either" />
      <p>
        <button type="submit" class="primary">
          Find the event
        </button>
      </p>
    </form>
  );
}
