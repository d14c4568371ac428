/** The page of each chapter of the contract. */
import { TAGS } from "../contract/tags.ts";

export const ERRORS_PAGE = "errors";

export function pageOf(chapter: string): string {
  return chapter.toLowerCase().replaceAll(" ", "-");
}

/** Every name that may follow `/docs/`. */
export const PAGES: readonly string[] = [...Object.keys(TAGS).map(pageOf), ERRORS_PAGE];
