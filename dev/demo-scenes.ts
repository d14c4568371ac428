/**
 * What the demonstration has besides one connection, so that every page of the console shows something true: other connections
 * and employers, reports with warnings and failed ones, refused requests of several kinds, webhooks that work, that fail and
 * that are gone, events, and the alert about the disabled webhook.
 */

import { setTimeout as sleep } from "node:timers/promises";
import { DEMO_EMPLOYER, DEMO_OWNER, type Demo } from "./demo.ts";
import { type Call, portalOf } from "./demo-client.ts";
import { MISTAKES, report, type Sender, send, signedProperly } from "./demo-requests.ts";

const OTHER_OWNER = { owner_id: "northwind-software", owner_type: "software_company" } as const;
const OTHER_EMPLOYER = { id: "harbor-bakery", fein: "98-7654321", name: "Harbor Bakery Inc" } as const;
/** The gateway explains one refused signature per second and connection. */
const DIAGNOSED_EVERY_MS = 1_100;

interface Made {
  connection: { id: string };
  secret: string;
}

const AUDIT = {
  auditId: "AUD-2026-0142",
  employerId: DEMO_EMPLOYER.id,
  policyNumber: "WC1025561",
  policyPeriod: { start: "2026-01-01", end: "2026-12-31" },
  results: { estimatedPremium: 18_400, actualPremium: 19_125.5, adjustment: 725.5 },
  note: "Audited by Zoë – “final” \u{1f4d8}",
};

/** Sets the scenes once: the caller knows that the demonstration is new. */
export async function setScenes(demo: Demo): Promise<void> {
  const call = portalOf(demo);
  await call("PUT", `/employers/${OTHER_EMPLOYER.id}`, {
    fein: OTHER_EMPLOYER.fein,
    name: OTHER_EMPLOYER.name,
    owners: [DEMO_OWNER, OTHER_OWNER],
  });
  await webhooks(call, demo);
  await Promise.all([reports(call, demo), refusals(call, demo), events(call)]);
}

async function connection(call: Call, demo: Demo, fields: object): Promise<Sender> {
  const { connection: made, secret } = await call<Made>("POST", "/connections", {
    ...DEMO_OWNER,
    type: "webhook",
    plan: "production",
    environment: "production",
    ...fields,
  });
  return { url: demo.base_url, id: made.id, secret };
}

/** The receivers are those of the files-creator stand-in. The one that is gone disables its webhook, which opens an alert. */
async function webhooks(call: Call, demo: Demo): Promise<void> {
  const receivers = [
    { description: "Payroll portal", receiver: "ok", events: ["file.*", "audit.*"] },
    { description: "Data warehouse", receiver: "failing", events: ["file.processed", "file.failed"] },
    { description: "Retired CRM", receiver: "gone", events: ["file.uploaded"] },
  ];
  await Promise.all(
    receivers.map(({ description, receiver, events: types }) =>
      call("POST", "/webhooks", {
        ...DEMO_OWNER,
        environment: "production",
        url: `${demo.files_creator_url}/receivers/${receiver}`,
        description,
        events: types,
      }),
    ),
  );
}

/** In production and in the sandbox, with warnings about fields, failed ones and a repeat. */
async function reports(call: Call, demo: Demo): Promise<void> {
  const [bakery, sandbox] = await Promise.all([
    connection(call, demo, { description: "Bakery chain", employer_id: OTHER_EMPLOYER.id }),
    connection(call, demo, { description: "Integration tests", plan: "sandbox", environment: "sandbox" }),
  ]);
  const { fein } = OTHER_EMPLOYER;
  const bodies = Array.from({ length: 8 }, (_, n) => report(n, { fein }));
  const sent = bodies.map((body) => ({ sender: bakery, body }));
  sent.push({ sender: bakery, body: report(20, { fein, flaw: "wages" }) });
  sent.push({ sender: bakery, body: report(21, { fein, flaw: "names_only" }) });
  sent.push({ sender: sandbox, body: report(22, { fein: DEMO_EMPLOYER.fein }) });
  for (const { sender, body } of sent) {
    const headers = signedProperly(body, sender);
    await send(sender, body, headers);
    // A payroll system that did not see its answer sends the same request again.
    if (body === bodies[0]) await send(sender, body, headers);
  }
}

/** As a developer makes them who connects a system for the first time. */
async function refusals(call: Call, demo: Demo): Promise<void> {
  const vendor = await connection(call, demo, { description: "New vendor, being set up" });
  for (const mistake of Object.values(MISTAKES)) {
    const body = report(40, { fein: DEMO_EMPLOYER.fein });
    await send(vendor, body, mistake(body, vendor));
    await sleep(DIAGNOSED_EVERY_MS);
  }
  const broken = '{"employees": [';
  await send(vendor, broken, signedProperly(broken, vendor));
  const body = report(41, { fein: DEMO_EMPLOYER.fein });
  await send({ ...vendor, id: "0".repeat(24) }, body, signedProperly(body, vendor));
}

async function events(call: Call): Promise<void> {
  const run = Date.now().toString(36);
  await call("POST", "/events", {
    events: [
      ["audit.started", { auditId: AUDIT.auditId, employerId: AUDIT.employerId }],
      ["audit.completed", AUDIT],
      ["audit.adjusted", AUDIT],
      // No webhook asks for it.
      ["policy.renewed", { policyNumber: AUDIT.policyNumber, employerId: AUDIT.employerId }],
    ].map(([type, data], i) => ({
      id: `demo_${run}_${i}`,
      type,
      data,
      environment: "production",
      ...DEMO_OWNER,
    })),
  });
}
