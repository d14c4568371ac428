/** The header of a page: Find, whose objects and which environment are shown, and who is signed in. */
import { ownerText } from "./page-scope.ts";
import { usePage } from "./page-state.ts";
import { Link } from "./parts/link.tsx";
import { EnvironmentField, Hidden, OwnerField, OwnerTypes, ScopeInputs } from "./parts/scope-fields.tsx";
import { to } from "./paths.ts";

export function Header() {
  const { session, scope, url } = usePage();
  return (
    <header class="banner">
      <a class="menu" href="#rail">
        Pages
      </a>
      <Link href={to.now()} class="brand">
        Audit1
      </Link>
      <search class="find">
        <form method="get" action={to.find()}>
          <ScopeInputs />
          <label>
            <span class="unseen">Find by id</span>
            <input
              type="search"
              name="q"
              placeholder="Find any id"
              autocomplete="off"
              spellcheck={false}
              value={url.pathname === to.find() ? (url.searchParams.get("q") ?? "") : ""}
              data-find
            />
          </label>
          <kbd>/</kbd>
        </form>
      </search>
      <details class="scope">
        <summary>
          {session.owner === null && (
            <span class="owner">{scope.owner === null ? "All owners" : scope.owner.id}</span>
          )}
          {session.owner !== null && <span class="owner">{session.owner.id}</span>}
          <span class={`environment ${scope.environment ?? "all"}`}>
            {scope.environment === null ? "Both environments" : scope.environment}
          </span>
        </summary>
        <ScopeForm />
      </details>
      <form method="post" action={to.signOut()} class="person">
        <span title={`Session ${session.id}`}>{session.person}</span>
        <button type="submit">Sign out</button>
      </form>
    </header>
  );
}

/** What of an address names a view rather than an object of one owner. */
const VIEW = ["tab", "page", "q"] as const;

function ScopeForm() {
  const { session, scope, url } = usePage();
  const view = Object.fromEntries(VIEW.map((name) => [name, url.searchParams.get(name)]));
  return (
    <form method="get" action={url.pathname}>
      <Hidden values={{ ...view, accent: scope.accent }} />
      {session.owner === null && (
        <>
          <OwnerField value={ownerText(scope)} />
          <OwnerTypes />
        </>
      )}
      <EnvironmentField any="Both" />
      <button type="submit">Show</button>
    </form>
  );
}
