/** Sets up the demonstration: keeps the employer, connection and API key that still work, and creates the others. */

import { DEMO_EMPLOYER, type Demo, type EarlierDemo, readDemo, writeDemo } from "./demo.ts";
import type { GatewayClient } from "./gateway-client.ts";
import type { DevSecrets } from "./secrets.ts";

/** Prints one line. */
export type Say = (line: string) => void;

/** `isNew`: the gateway has nothing of an earlier start. */
export async function setUpDemo(
  gateway: GatewayClient,
  { portal, owner }: Pick<DevSecrets, "portal" | "owner">,
  urls: { base_url: string; files_creator_url: string },
  say: Say,
): Promise<{ demo: Demo; isNew: boolean }> {
  const earlier = readDemo();
  const status = await gateway.putEmployer();
  say(`✓ Employer ${DEMO_EMPLOYER.id} (FEIN ${DEMO_EMPLOYER.fein}) ${status === 201 ? "created" : "exists"}`);
  const demo: Demo = {
    ...urls,
    ...(await keptConnection(gateway, earlier, say)),
    api_key: await keptApiKey(gateway, earlier, say),
    employer_id: DEMO_EMPLOYER.id,
    employer_fein: DEMO_EMPLOYER.fein,
    portal_client_id: portal.id,
    portal_client_secret: portal.secret,
    owner_client_id: owner.id,
    owner_client_secret: owner.secret,
    console_url: await gateway.createConsoleLink("staff"),
    owner_console_url: await gateway.createConsoleLink("owner"),
  };
  say("✓ Links to the console created");
  writeDemo(demo);
  return { demo, isNew: demo.connection_id !== earlier?.connection_id };
}

/** The same demonstration with a new connection, for when the old one no longer accepts its secret. */
export async function replaceConnection(gateway: GatewayClient, demo: Demo, say: Say): Promise<Demo> {
  const replaced = { ...demo, ...(await newConnection(gateway, say)) };
  writeDemo(replaced);
  return replaced;
}

async function keptConnection(
  gateway: GatewayClient,
  earlier: EarlierDemo | null,
  say: Say,
): Promise<Pick<Demo, "connection_id" | "secret">> {
  if (earlier === null) return newConnection(gateway, say);
  if (await gateway.hasConnection(earlier.connection_id)) {
    say(`✓ Connection ${earlier.connection_id} kept from an earlier start`);
    return { connection_id: earlier.connection_id, secret: earlier.secret };
  }
  say("  The gateway no longer knows the connection of an earlier start: creating a new one");
  return newConnection(gateway, say);
}

async function newConnection(
  gateway: GatewayClient,
  say: Say,
): Promise<Pick<Demo, "connection_id" | "secret">> {
  const { connection, secret } = await gateway.createConnection();
  say(`✓ Connection ${connection.id} created (production plan, no employer bound)`);
  return { connection_id: connection.id, secret };
}

async function keptApiKey(gateway: GatewayClient, earlier: EarlierDemo | null, say: Say): Promise<string> {
  if (earlier !== null && (await gateway.acceptsKey(earlier.api_key))) {
    say("✓ API key kept from an earlier start");
    return earlier.api_key;
  }
  const key = await gateway.createApiKey();
  say("✓ API key created");
  return key;
}
