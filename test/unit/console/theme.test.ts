import { describe, expect, it } from "vitest";
import { accentOf, contrast, type Rgb, themeAddress, themeAt } from "../../../src/console/theme.ts";

function rgb(hex: string): Rgb {
  const [red = 0, green = 0, blue = 0] = [1, 3, 5].map((at) => Number.parseInt(hex.slice(at, at + 2), 16));
  return { red, green, blue };
}

describe("the accent of a portal", () => {
  it.each([
    { text: "1F6FEB", accent: "1f6feb" },
    { text: "1f6fe", accent: null },
    { text: "red", accent: null },
    { text: "ffffff;}", accent: null },
    { text: null, accent: null },
  ])("$text is read as $accent", ({ text, accent }) => {
    expect(accentOf(text)).toBe(accent);
  });

  it.each(["1f6feb", "ffff00", "ffffff", "000000", "00ff88", "ff0000", "777777"])(
    "#%s can be read on the grounds of both schemes, and text on it too",
    (accent) => {
      const style = themeAt(themeAddress(accent)) ?? "";
      const [light = "", dark = "", onLight = "", onDark = ""] = style.match(/#[0-9a-f]{6}/g) ?? [];
      expect(contrast(rgb(light), rgb("#ffffff"))).toBeGreaterThanOrEqual(4.5);
      expect(contrast(rgb(dark), rgb("#181c20"))).toBeGreaterThanOrEqual(4.5);
      expect(contrast(rgb(light), rgb(onLight))).toBeGreaterThanOrEqual(4.5);
      expect(contrast(rgb(dark), rgb(onDark))).toBeGreaterThanOrEqual(4.5);
    },
  );

  it("that can be read is used as it is", () => {
    expect(themeAt(themeAddress("0b57d0"))).toContain("light-dark(#0b57d0,");
  });

  it("has no other address", () => {
    expect(themeAt("/console/assets/accent-xyz.css")).toBeNull();
    expect(themeAt("/console/assets/console.css")).toBeNull();
  });
});
