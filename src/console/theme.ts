/**
 * The colour of a portal that embeds the console. Its links carry it in the address (`accent`), and a stylesheet of one rule, whose
 * address names the colour, applies it: pages hold no style of their own. The colour is made darker or lighter until text in it can be
 * read on the console's ground, in both colour schemes. Pure.
 */

export interface Rgb {
  red: number;
  green: number;
  blue: number;
}

const HEX = /^[0-9a-f]{6}$/i;
const PATH = /^\/console\/assets\/accent-([0-9a-f]{6})\.css$/;

/** The grounds of both schemes, as in console.css. */
const LIGHT_GROUND: Rgb = { red: 255, green: 255, blue: 255 };
const DARK_GROUND: Rgb = { red: 24, green: 28, blue: 32 };
const BLACK: Rgb = { red: 0, green: 0, blue: 0 };
/** WCAG 2.2, AA for text, with room for the raised and marked grounds. */
const READABLE = 5.2;
const STEPS = 50;

/** Six hex digits, in lower case; null for any other text. */
export function accentOf(text: string | null): string | null {
  return text !== null && HEX.test(text) ? text.toLowerCase() : null;
}

export function themeAddress(accent: string): string {
  return `/console/assets/accent-${accent}.css`;
}

/** The stylesheet at this path; null if it is none of a colour. */
export function themeAt(path: string): string | null {
  const [, accent] = PATH.exec(path) ?? [];
  if (accent === undefined) return null;
  const colour = parse(accent);
  const light = readable(colour, LIGHT_GROUND, BLACK);
  const dark = readable(colour, DARK_GROUND, LIGHT_GROUND);
  const on = [textOn(light), textOn(dark)].map(css);
  return `:root{--accent:light-dark(${css(light)},${css(dark)});--on-accent:light-dark(${on.join()})}\n`;
}

/** Black or white, whichever can be read better on the colour. */
function textOn(colour: Rgb): Rgb {
  return contrast(colour, LIGHT_GROUND) >= contrast(colour, BLACK) ? LIGHT_GROUND : BLACK;
}

/** The colour, mixed with `towards` as little as makes it readable on `ground`. */
function readable(colour: Rgb, ground: Rgb, towards: Rgb): Rgb {
  for (let step = 0; step < STEPS; step++) {
    const mixed = mix(colour, towards, step / STEPS);
    if (contrast(mixed, ground) >= READABLE) return mixed;
  }
  return towards;
}

function parse(hex: string): Rgb {
  const [red = 0, green = 0, blue = 0] = [0, 2, 4].map((at) => Number.parseInt(hex.slice(at, at + 2), 16));
  return { red, green, blue };
}

function css({ red, green, blue }: Rgb): string {
  return `#${[red, green, blue].map((part) => part.toString(16).padStart(2, "0")).join("")}`;
}

function mix(from: Rgb, to: Rgb, share: number): Rgb {
  const part = (a: number, b: number) => Math.round(a + (b - a) * share);
  return {
    red: part(from.red, to.red),
    green: part(from.green, to.green),
    blue: part(from.blue, to.blue),
  };
}

/** The contrast ratio of WCAG 2.2, from 1 to 21. */
export function contrast(a: Rgb, b: Rgb): number {
  const [darker = 0, lighter = 0] = [luminance(a), luminance(b)].sort((x, y) => x - y);
  return (lighter + 0.05) / (darker + 0.05);
}

function luminance({ red, green, blue }: Rgb): number {
  const linear = (part: number) => {
    const share = part / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  };
  return 0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue);
}
