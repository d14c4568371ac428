/** What every part of a page may need to know about the page, without it being passed down through each. */
import { createContext, useContext } from "hono/jsx";
import type { ApiCall } from "./api.ts";
import type { Scope } from "./page-scope.ts";
import type { PersonSession } from "./session.ts";

export interface PageState {
  /** The page's own address. */
  url: URL;
  scope: Scope;
  session: PersonSession;
  /** When the page was made, ms. */
  now: number;
  requestId: string;
  calls: readonly ApiCall[];
}

export const PageContext = createContext<PageState | null>(null);

/** Throws outside a page: every part is rendered inside one. */
export function usePage(): PageState {
  const state = useContext(PageContext);
  if (state === null) throw new Error("a part was rendered outside a page");
  return state;
}
