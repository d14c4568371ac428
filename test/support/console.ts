/** Opens pages of the console as a person's browser does. */
import { createExecutionContext, waitOnExecutionContext } from "cloudflare:test";
import type { Bindings } from "../../src/bindings.ts";
import { bounded } from "../../src/bounded.ts";
import { BACKGROUND_LIMITS } from "../../src/deadline.ts";
import worker from "../../src/index.ts";
import type { Capability, OwnerType } from "../../src/model.ts";
import { BASE, bindings, portal } from "./gateway.ts";

export interface Shown {
  status: number;
  headers: Headers;
  text: string;
  /** Where a redirect leads. */
  location: string | null;
}

/** A browser with its cookie. */
export class Browser {
  cookie: string | null = null;
  readonly #using: Bindings;
  readonly #origin: string;

  constructor({ using = bindings, origin = BASE }: { using?: Bindings; origin?: string } = {}) {
    this.#using = using;
    this.#origin = origin;
  }

  get(path: string): Promise<Shown> {
    return this.request(path, {});
  }

  /** Posts a form, as a page of the console does. */
  post(path: string, fields: Record<string, string>, headers: Record<string, string> = {}): Promise<Shown> {
    return this.request(path, {
      method: "POST",
      headers: { Origin: this.#origin, "Sec-Fetch-Site": "same-origin", ...headers },
      body: new URLSearchParams(fields),
    });
  }

  async request(path: string, init: RequestInit): Promise<Shown> {
    const headers = new Headers(init.headers);
    if (this.cookie !== null) headers.set("Cookie", this.cookie);
    const ctx = createExecutionContext();
    const request = new Request(`${this.#origin}${path}`, { ...init, headers, redirect: "manual" });
    const response = await worker.fetch(
      request as Parameters<typeof worker.fetch>[0],
      bounded(this.#using, BACKGROUND_LIMITS),
      ctx,
    );
    const text = await response.text();
    await waitOnExecutionContext(ctx);
    // As a browser without partitions, to which all forms of the cookie are one.
    for (const set of response.headers.getSetCookie())
      this.cookie = /;\s*Max-Age=0/i.test(set) ? null : (set.split(";")[0] ?? null);
    return {
      status: response.status,
      headers: response.headers,
      text,
      location: response.headers.get("Location"),
    };
  }
}

async function signedIn(link: object): Promise<Browser> {
  const { status, json } = await portal("POST", "/portal-links", link);
  if (status !== 201) throw new Error(`no link: ${JSON.stringify(json)}`);
  const browser = new Browser();
  const [, token = ""] = String(json.url).split("#");
  const { status: redirected, text } = await browser.post("/console/sign-in", { token });
  if (redirected !== 303) throw new Error(`not signed in: ${text}`);
  return browser;
}

/** Somebody of Audit1, who sees every owner. */
export function staff(): Promise<Browser> {
  return signedIn({ staff: true });
}

/** Somebody of one owner. */
export function person(
  owner: { type: OwnerType; id: string },
  capabilities: Capability = "manage",
): Promise<Browser> {
  return signedIn({ owner_type: owner.type, owner_id: owner.id, capabilities });
}

/** The text of a page as a reader sees it. */
export function readable(html: string): string {
  return html
    .replace(/<(script|style)[\s\S]*?<\/\1>/g, "")
    .replace(/<[^>]*>/g, " ")
    .replaceAll("&#39;", "'")
    .replace(/\s+/g, " ");
}
