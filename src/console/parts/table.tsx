/** The one table of the console: a sticky head, one line a row, the first cell's link covers the row. */
import type { Child } from "hono/jsx";
import { usePage } from "../page-state.ts";
import { changed } from "../paths.ts";
import { Link } from "./link.tsx";

export interface Column<Row> {
  head: string;
  /** Numbers stand right. */
  numeric?: boolean;
  /** Left out where the page is narrow. */
  wide?: boolean;
  /** Sentences, which may take several lines. */
  isText?: boolean;
  cell(row: Row): Child;
}

interface TableProps<Row> {
  /** For readers who do not see the page. */
  caption: string;
  /** For scripts that replace the table when it changes. */
  id?: string;
  columns: readonly Column<Row>[];
  rows: readonly Row[];
  /** Where the row leads. It becomes the first cell's link. */
  href?: (row: Row) => string;
  /** What tells rows apart, so that a script can mark those that arrived. */
  keyOf?: (row: Row) => string;
}

export function Table<Row>({ caption, id, columns, rows, href, keyOf }: TableProps<Row>) {
  const classOf = ({ numeric, wide, isText }: Column<Row>) =>
    [numeric && "numeric", wide && "wide", isText && "text"].filter(Boolean).join(" ") || undefined;
  return (
    <div class="scroll" id={id}>
      <table>
        <caption class="unseen">{caption}</caption>
        <thead>
          <tr>
            {columns.map((column) => (
              <th scope="col" class={classOf(column)}>
                {column.head}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr class={href === undefined ? undefined : "leads"} data-key={keyOf?.(row)}>
              {columns.map((column, i) => (
                <td class={classOf(column)}>
                  {i === 0 && href !== undefined ? (
                    <Link href={href(row)} class="row">
                      {column.cell(row)}
                    </Link>
                  ) : (
                    column.cell(row)
                  )}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

interface PagerProps {
  nextCursor: string | null;
  /** `37`, `37+` or `1000+`, as the API counts; undefined if the list is not counted. */
  count?: string | undefined;
  what: string;
  shown: number;
  /** The words of the links, of a list that is not sorted by time. */
  words?: { first: string; next: string };
}

/** How many there are, and the way to the older ones. The first page is a link away. */
export function Pager({
  nextCursor,
  count,
  what,
  shown,
  words = { first: "Newest", next: "Older" },
}: PagerProps) {
  const { url } = usePage();
  const isFirst = !url.searchParams.has("cursor");
  return (
    <p class="pager">
      <span>{count === undefined ? `${shown} shown` : `${count} ${what}`}</span>
      {!isFirst && <Link href={changed(url, { cursor: null })}>{words.first}</Link>}
      {nextCursor !== null && <Link href={changed(url, { cursor: nextCursor })}>{words.next}</Link>}
    </p>
  );
}
