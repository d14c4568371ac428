/** One number of the page Now: what it is, its value, what it is compared with, and the way it has gone. */
import type { Child } from "hono/jsx";
import type { Unit } from "../../format.ts";
import type { Meaning } from "../../parts/badge.tsx";
import { Sparkline } from "../../parts/charts.tsx";
import { Level } from "../../parts/level.tsx";
import { Link } from "../../parts/link.tsx";

const SHAPES: Partial<Record<Meaning, string>> = { warning: "▲", bad: "■" };

export interface TileProps {
  label: string;
  value: Child;
  /** `off` where nothing is wrong. */
  meaning: Meaning;
  note: Child;
  /** The list behind the number. */
  href: string;
  spark?: { values: readonly (number | null)[]; label: string; unit: Unit };
  /** How much of what is allowed is reached: 1 is all of it. Where there is no series. */
  level?: number;
}

export function Tile({ label, value, meaning, note, href, spark, level }: TileProps) {
  const shape = SHAPES[meaning];
  return (
    <Link href={href} class={`tile ${meaning}`}>
      <span class="label">{label}</span>
      <span class="value">
        {shape !== undefined && (
          <span class="shape" aria-hidden="true">
            {shape}{" "}
          </span>
        )}
        {value}
      </span>
      <span class="note">{note}</span>
      {spark !== undefined && (
        <Sparkline {...spark} meaning={meaning === "off" ? "accent" : meaning} wide={true} />
      )}
      {level !== undefined && <Level part={level} />}
    </Link>
  );
}
