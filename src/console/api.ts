/**
 * The console's only way to data: calls of the gateway's own API, in this process, as the session's client. Each call is kept,
 * so that a page can show what it asked.
 */
import type { Client } from "../http/context.ts";
import type { Details } from "../http/errors.ts";
import type { Scope } from "./page-scope.ts";

const API = "/api/v1";

/** Query parameters. Undefined, null and empty ones are left out. */
export type ApiQuery = Record<string, string | number | boolean | null | undefined>;

/** The API's error body. */
export interface ApiError {
  error: string;
  message: string;
  code: string;
  details?: Details;
  request_id: string;
}

export type ApiResult<Body> =
  | { ok: true; status: number; body: Body; etag: string | null; requestId: string }
  | { ok: false; status: number; error: ApiError };

export type RefusedCall = Extract<ApiResult<unknown>, { ok: false }>;

export interface ApiCall {
  method: string;
  /** With its query. */
  path: string;
  /** Of its body; null without one. */
  contentType: string | null;
  status: number;
  ms: number;
}

/** The same call may be answered later: a part of the gateway is away, or this client has asked too much in a minute. */
export function isTransient({ status }: { status: number }): boolean {
  return status >= 500 || status === 429;
}

interface SendOptions {
  query?: ApiQuery;
  body?: unknown;
  /** The `ETag` that the change was made on. */
  ifMatch?: string | null;
  /** `*`: only if the object does not exist. */
  ifNoneMatch?: "*";
  idempotencyKey?: string | null;
  /** For a body that is not JSON. */
  contentType?: string;
  /** False for a call that the scope's owner must not be named in. */
  scoped?: boolean;
}

export class Api {
  /** In the order in which they were answered. */
  readonly calls: ApiCall[] = [];
  readonly #origin: string;
  readonly #client: Client;
  readonly #scope: Scope;
  readonly #call: (request: Request, client: Client) => Promise<Response>;

  constructor(
    origin: string,
    client: Client,
    scope: Scope,
    call: (request: Request, client: Client) => Promise<Response>,
  ) {
    this.#origin = origin;
    this.#client = client;
    this.#scope = scope;
    this.#call = call;
  }

  /** `path` is that of the API document without `/api/v1`. */
  get<Body>(path: string, query: ApiQuery = {}): Promise<ApiResult<Body>> {
    return this.send<Body>("GET", path, { query });
  }

  /** Never throws for an answer of the API, whatever its status. */
  async send<Body>(method: string, path: string, options: SendOptions = {}): Promise<ApiResult<Body>> {
    const response = await this.#fetch(method, path, options);
    return resultOf<Body>(response);
  }

  /** For an answer that is read as it comes. */
  async stream(
    method: string,
    path: string,
    options: SendOptions,
  ): Promise<{ ok: true; body: ReadableStream<Uint8Array> } | RefusedCall> {
    const response = await this.#fetch(method, path, options);
    if (response.ok && response.body !== null) return { ok: true, body: response.body };
    const refused = await resultOf(response);
    if (refused.ok) throw new Error(`nothing to read: ${method} ${path}`);
    return refused;
  }

  async #fetch(method: string, path: string, options: SendOptions): Promise<Response> {
    const { body, ifMatch, ifNoneMatch, idempotencyKey, contentType = "application/json" } = options;
    const address = this.#addressOf(path, options);
    const headers = new Headers();
    const text = body === undefined ? null : typeof body === "string" ? body : JSON.stringify(body);
    if (text !== null) headers.set("Content-Type", contentType);
    if (ifMatch) headers.set("If-Match", ifMatch);
    if (ifNoneMatch) headers.set("If-None-Match", ifNoneMatch);
    if (idempotencyKey) headers.set("Idempotency-Key", idempotencyKey);
    const request = new Request(`${this.#origin}${address}`, { method, headers, body: text });
    const startedAt = Date.now();
    const response = await this.#call(request, this.#client);
    this.calls.push({
      method,
      path: address,
      contentType: text === null ? null : contentType,
      status: response.status,
      ms: Date.now() - startedAt,
    });
    return response;
  }

  #addressOf(path: string, { query = {}, scoped = true }: SendOptions): string {
    const params = new URLSearchParams();
    const { owner } = this.#scope;
    if (scoped && owner !== null && this.#client.owner === undefined) {
      params.set("owner_type", owner.type);
      params.set("owner_id", owner.id);
    }
    for (const [name, value] of Object.entries(query))
      if (value !== undefined && value !== null && value !== "") params.set(name, String(value));
    const at = path === "/health" ? path : `${API}${withoutSteps(path)}`;
    return params.size === 0 ? at : `${at}?${params}`;
  }
}

/** An id of dots would be a step to another address. Encoded twice it is an id that nothing has. */
function withoutSteps(path: string): string {
  return path.replaceAll(/(?<=\/)\.{1,2}(?=\/|$)/g, (dots) => dots.replaceAll(".", "%252E"));
}

async function resultOf<Body>(response: Response): Promise<ApiResult<Body>> {
  const { status, headers } = response;
  const requestId = headers.get("X-Request-Id") ?? "";
  const text = await response.text();
  // `/health` answers 503 with the same body as 200.
  const isError = status >= 400 && !(status === 503 && text.startsWith('{"status"'));
  const body: unknown = text === "" ? null : JSON.parse(text);
  if (isError) return { ok: false, status, error: body as ApiError };
  return { ok: true, status, body: body as Body, etag: headers.get("ETag"), requestId };
}
