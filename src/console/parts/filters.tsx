/** The filter bar of a list: a form whose fields are parameters of the address, and a chip for each filter that is set. */
import { usePage } from "../page-state.ts";
import { changed } from "../paths.ts";
import { Link } from "./link.tsx";
import { Hidden, ScopeInputs } from "./scope-fields.tsx";

export interface Filter {
  /** The parameter of the address. */
  name: string;
  label: string;
  /** The choices; a text field without any. */
  options?: readonly { value: string; label: string }[];
  /** What no choice means. */
  any?: string;
  type?: "text" | "datetime-local" | "number";
  placeholder?: string;
}

interface FiltersProps {
  filters: readonly Filter[];
  /** Parameters of the address that the form keeps, such as the page's tab. */
  keep?: readonly string[];
}

export function Filters({ filters, keep = [] }: FiltersProps) {
  const { url } = usePage();
  const query = url.searchParams;
  const set = filters.filter(({ name }) => query.get(name));
  return (
    <div class="filters">
      <form method="get" action={url.pathname}>
        <ScopeInputs />
        <Hidden values={Object.fromEntries(keep.map((name) => [name, query.get(name)]))} />
        {filters.map((filter) => (
          <p class="field">
            <label for={`filter-${filter.name}`}>{filter.label}</label>
            <FilterField filter={filter} value={query.get(filter.name) ?? ""} />
          </p>
        ))}
        <button type="submit">Filter</button>
      </form>
      {set.length > 0 && (
        <ul class="chips" aria-label="Filters that are set">
          {set.map(({ name, label, options }) => {
            const value = query.get(name) ?? "";
            const shown = options?.find((option) => option.value === value)?.label ?? value;
            return (
              <li>
                <span>
                  {label}: {shown}
                </span>
                <Link href={changed(url, { [name]: null, cursor: null })}>
                  <span aria-hidden="true">×</span>
                  <span class="unseen">Remove the filter {label}</span>
                </Link>
              </li>
            );
          })}
          <li class="plain">
            <Link href={clearedOf(url, filters)}>Clear filters</Link>
          </li>
        </ul>
      )}
    </div>
  );
}

function FilterField({ filter, value }: { filter: Filter; value: string }) {
  const { name, options, any = "Any", type = "text", placeholder } = filter;
  if (options === undefined)
    return (
      <input
        id={`filter-${name}`}
        type={type}
        name={name}
        value={value}
        placeholder={placeholder}
        autocomplete="off"
      />
    );
  return (
    <select id={`filter-${name}`} name={name}>
      <option value="">{any}</option>
      {options.map((option) => (
        <option value={option.value} selected={option.value === value}>
          {option.label}
        </option>
      ))}
    </select>
  );
}

/** The address without any of the filters, and at its first page. */
export function clearedOf(url: URL, filters: readonly Filter[]): string {
  return changed(url, Object.fromEntries([...filters.map(({ name }) => [name, null]), ["cursor", null]]));
}

/** The value of a field for a date and a time, which has no zone, as an instant in UTC. Other texts are left to the API. */
export function instantOf(text: string | null): string | null {
  const [, minute, second = ":00"] = /^(\d{4}-\d\d-\d\dT\d\d:\d\d)(:\d\d(?:\.\d+)?)?$/.exec(text ?? "") ?? [];
  return minute === undefined ? text : `${minute}${second}Z`;
}

export function isFiltered(url: URL, filters: readonly Filter[]): boolean {
  return filters.some(({ name }) => url.searchParams.get(name));
}
