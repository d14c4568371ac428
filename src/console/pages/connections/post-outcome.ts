import type { RefusedCall } from "../../api.ts";
import type { Typed } from "./setting-values.ts";

/** The outcome of a post that the page shows at once, in place of a redirect. */
export type Outcome =
  | { act: string; refused: RefusedCall; typed?: Typed }
  | { act: "rotate"; secret: string };
