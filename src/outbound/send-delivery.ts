/** Sends one delivery: opens the webhook's secrets and headers, builds and signs the body, makes one request. */
import * as z from "zod";
import { eventDataContext, webhookHeadersContext, webhookSecretContext } from "../crypto/contexts.ts";
import { utf8 } from "../crypto/encoding.ts";
import { type DataKey, unsealText } from "../crypto/vault.ts";
import type { UrlPolicy } from "../model.ts";
import { attemptDelivery, EXCHANGE_TIMEOUT_MS } from "./attempt.ts";
import type { Attempt } from "./attempt-result.ts";
import type { DueDelivery, LeasedEndpoint } from "./endpoint-lease.ts";
import { eventBody } from "./event-types.ts";
import { accepts } from "./probe.ts";
import { unsealUrl } from "./sealed-url.ts";
import { signingOrder } from "./secret-rotation.ts";
import { type Signers, signDelivery, signersOf } from "./signing.ts";

const headersAtRest = z.record(z.string(), z.string());

export type EndpointSettings = Pick<
  LeasedEndpoint,
  "id" | "environment" | "url" | "target" | "signature_format" | "headers" | "secrets"
>;

/** An endpoint with its sealed values opened. */
export interface UnsealedEndpoint {
  endpoint: EndpointSettings;
  /** The owner's data key. */
  key: DataKey;
  url: string;
  /** For the secrets in force, in signing order. */
  signers: Signers;
  /** Whether a newer secret is to replace the leading one. */
  rotating: boolean;
  headers: Record<string, string>;
}

/** Throws if no secret is in force, or a sealed value does not open. */
export async function unsealEndpoint(
  endpoint: EndpointSettings,
  key: DataKey,
  now: number,
): Promise<UnsealedEndpoint> {
  const order = signingOrder(endpoint.secrets, now);
  const [leading, ...others] = await Promise.all(
    order.map(({ id, sealed }) => unsealText(key, sealed, webhookSecretContext(endpoint.id, id))),
  );
  if (leading === undefined) throw new Error("a webhook has no secret in force");
  const headers =
    endpoint.headers === null
      ? {}
      : headersAtRest.parse(
          JSON.parse(await unsealText(key, endpoint.headers.sealed, webhookHeadersContext(endpoint.id))),
        );
  const rotating = order.slice(1).some(({ created_at }) => created_at > (order[0]?.created_at ?? 0));
  const url = await unsealUrl(key, endpoint);
  return { endpoint, key, url, signers: await signersOf([leading, ...others]), rotating, headers };
}

export async function sendDelivery(
  { endpoint, key, url, signers, rotating, headers }: UnsealedEndpoint,
  event: Omit<DueDelivery, "attempts" | "round_start">,
  policy: UrlPolicy,
  timeoutMs: number = EXCHANGE_TIMEOUT_MS,
): Promise<Attempt> {
  const data = await unsealText(key, event.data, eventDataContext(endpoint.environment, event.id));
  const { id, type, created_at: createdAt, source, event_seq: sequence } = event;
  const { environment } = endpoint;
  const body = utf8(eventBody({ id, type, createdAt, source, environment, sequence }, data));
  const startedAt = Date.now();
  const signatures = await signDelivery({
    id,
    body,
    signers,
    rotating,
    format: endpoint.signature_format,
    now: startedAt,
  });
  const exchange = { url, headers: { ...headers, ...signatures }, body, policy };
  const deps = {
    fetch: (url: string, init: RequestInit) => fetch(url, init),
    now: () => Date.now(),
    accepts,
    timeoutMs,
  };
  return { ...(await attemptDelivery(exchange, deps)), startedAt };
}
