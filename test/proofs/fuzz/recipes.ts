/** What to send, made up by fast-check from a seed: requests of every kind, each with the answers that are right for it. */
import fc from "fast-check";
import type { Recipe } from "./outgoing.ts";
import { anyJson, deepJson, goodReport, keyed, largeReport, oddHeaders } from "./signed.ts";
import { forged, stranger, unknownConnection } from "./unsigned.ts";

export const recipe: fc.Arbitrary<Recipe> = fc.oneof(
  { weight: 28, arbitrary: goodReport },
  { weight: 22, arbitrary: anyJson },
  { weight: 4, arbitrary: deepJson },
  { weight: 1, arbitrary: largeReport },
  { weight: 5, arbitrary: keyed },
  { weight: 8, arbitrary: oddHeaders },
  { weight: 15, arbitrary: forged },
  { weight: 2, arbitrary: unknownConnection },
  { weight: 15, arbitrary: stranger },
);
