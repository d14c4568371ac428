/**
 * The stylesheets and scripts of the console, made from `client/` by `npm run console`. Their addresses name their content, so
 * browsers keep them.
 */
import { CLIENT_FILES } from "./client-files.ts";
import { themeAt } from "./theme.ts";

type FileName = keyof typeof CLIENT_FILES;
export type Script = Extract<FileName, `${string}.js`>;

const PATH = "/console/assets";

const addresses = new Map(
  Object.entries(CLIENT_FILES).map(([name, { hash }]) => {
    const [stem, ending] = name.split(".");
    return [name, `${PATH}/${stem}.${hash}.${ending}`];
  }),
);
const names = new Map([...addresses].map(([name, address]) => [address, name]));

const TYPES: Record<string, string> = {
  css: "text/css; charset=utf-8",
  js: "text/javascript; charset=utf-8",
};

/** The address of a file. */
export function asset(name: FileName): string {
  const address = addresses.get(name);
  if (address === undefined) throw new Error(`no file ${name}`);
  return address;
}

/** Null if no file has this address, for example that of an earlier version. */
export function assetResponse(path: string): Response | null {
  const theme = themeAt(path);
  if (theme !== null) return fileResponse("theme.css", theme);
  const name = names.get(path);
  return name === undefined ? null : fileResponse(name, CLIENT_FILES[name as FileName].text);
}

function fileResponse(name: string, text: string): Response {
  return new Response(text, {
    headers: {
      "Content-Type": TYPES[name.split(".").at(-1) ?? ""] ?? "text/plain",
      "Cache-Control": "public, max-age=31536000, immutable",
      "X-Content-Type-Options": "nosniff",
    },
  });
}
