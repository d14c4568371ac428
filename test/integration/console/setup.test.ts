/** Set up connection, step by step, as a browser without scripts walks through it. */
import { describe, expect, it, vi } from "vitest";
import { DIAGNOSES } from "../../../src/console/parts/diagnosis.tsx";
import { examinationTurns } from "../../../src/inbound/diagnosis/examination.ts";
import { Browser, person, readable, type Shown, staff } from "../../support/console.ts";
import { accepted, deliverFiles, wakeUpsOfEachTest } from "../../support/forwarding.ts";
import {
  type Connection,
  createBoundConnection,
  createConnection,
  createEmployer,
  inboundPath,
  portal,
  post,
  report,
  send,
  sign,
} from "../../support/gateway.ts";
import { setStatus } from "../../support/intake.ts";
import { without } from "../../support/interception.ts";

wakeUpsOfEachTest();

const NEW = "/console/connections/new";
const ACME = { type: "payroll_company", id: "acme" } as const;
const stepOf = (step: string, { id }: { id: string }) => `${NEW}?step=${step}&connection=${id}`;

/** The fields of the form, as the page gives them. */
function fieldsOf({ text }: Shown): Record<string, string> {
  const hidden = text.matchAll(/<input type="hidden" name="([^"]+)" value="([^"]*)"/g);
  return Object.fromEntries([...hidden].map(([, name = "", value = ""]) => [name, decoded(value)]));
}

function decoded(html: string): string {
  return html.replaceAll("&#39;", "'").replaceAll("&quot;", '"').replaceAll("&amp;", "&");
}

/** What the page shows in its blocks of code. */
function codesOf({ text }: Shown): string[] {
  return [...text.matchAll(/<pre[^>]*><code>([\s\S]*?)<\/code>/g)].map(([, code = ""]) => decoded(code));
}

/** Fills in the step Who, and returns the form and the answer. */
async function created(browser: Browser, chosen: Record<string, string> = {}) {
  const fields = { ...fieldsOf(await browser.get(`${NEW}?step=who`)), environment: "sandbox", ...chosen };
  const page = await browser.post(`${NEW}?step=who`, fields);
  const [url = "", secret = ""] = codesOf(page);
  const id = /[0-9a-f]{24}$/.exec(url)?.[0] ?? "";
  return { page, fields, connection: { id, secret }, url };
}

/** As the files-creator reports it. */
async function complete(fileId: string): Promise<void> {
  const event = { id: `evt_of_${fileId}`, type: "file.processed", data: { fileId } };
  const answer = await portal("POST", "/events", event);
  expect(answer.status, JSON.stringify(answer.json)).toBe(202);
}

describe("type", () => {
  it("is where the wizard begins, and offers a webhook or an API key", async () => {
    const { status, text } = await (await person(ACME)).get(NEW);
    expect(status).toBe(200);
    expect(text).toContain('aria-current="step">Type');
    expect(text).toContain(`href="${NEW}?step=who"`);
    expect(text).toContain("Go to API keys");
  });
});

describe("who", () => {
  it("offers the owner's employers and says what a connection without one means", async () => {
    const owner = { type: "payroll_company", id: `wizard-${Date.now()}` } as const;
    const browser = await person(owner);
    const none = await browser.get(`${NEW}?step=who`);
    expect(none.text).toContain(`No employer is granted to ${owner.id} yet.`);
    const employer = await createEmployer([{ owner_type: owner.type, owner_id: owner.id }]);
    const { text } = await browser.get(`${NEW}?step=who`);
    expect(text).toContain(`<option value="${employer.id}">Test Employer (${employer.id})</option>`);
    expect(text).toContain("each report must name one");
    expect(text).not.toContain("No employer is granted");
    expect(text).not.toContain('name="plan"');
  });

  it("asks staff who look at all owners whose connection it is", async () => {
    const browser = await staff();
    const { text } = await browser.get(`${NEW}?step=who&environment=sandbox`);
    expect(text).toContain('name="owner_id"');
    const chosen = await browser.get(
      `${NEW}?step=who&environment=sandbox&owner_type=payroll_company&owner_id=acme`,
    );
    expect(chosen.status).toBe(303);
    expect(chosen.location).toBe(`${NEW}?step=who&owner=payroll_company%2Facme&environment=sandbox`);
    const form = await browser.get(chosen.location ?? "");
    expect(form.text).toContain('<select id="plan" name="plan">');
    const wrong = await browser.get(`${NEW}?step=who&owner_type=payroll_company&owner_id=a%20b%22%3E`);
    expect(wrong.status).toBe(400);
    expect(wrong.text).toContain("Must be 1 to 64 characters");
    expect(wrong.text).toContain('value="a b&quot;&gt;"');
  });

  it("lets staff choose the plan of an owner's connection", async () => {
    const browser = await staff();
    const at = `${NEW}?step=who&owner=payroll_company/acme`;
    const page = await browser.post(at, { ...fieldsOf(await browser.get(at)), plan: "enterprise" });
    expect(page.text).toContain("<dd>Enterprise</dd>");
  });

  it("shows again what was typed, with the problem beside its field", async () => {
    const browser = await person(ACME);
    const { page } = await created(browser, {
      employer_id: "nobody",
      description: '<img src=x onerror="alert(1)">',
    });
    expect(page.status).toBe(404);
    expect(page.text).toContain("The connection was not created.");
    expect(page.text).toContain('<span class="problem">This owner has no grant for the employer.</span>');
    expect(page.text).toContain('<option value="nobody" selected="">');
    expect(page.text).toContain("&lt;img src=x onerror=&quot;alert(1)&quot;&gt;");
    const mail = await created(browser, { notification_email: "no address" });
    expect(mail.page.text).toContain('<span class="problem">Must be an e-mail address</span>');
  });
});

describe("created", () => {
  it("shows the address and the secret once, and takes a report signed with them", async () => {
    const browser = await person(ACME);
    const employer = await createEmployer();
    const { page, connection, url } = await created(browser, { employer_id: employer.id });
    expect(page.status).toBe(200);
    expect(page.headers.get("Cache-Control")).toBe("no-store");
    expect(page.text).toContain("shown now, and never again");
    expect(new URL(url).pathname).toBe(inboundPath(connection));
    expect(connection.secret).toMatch(/^whsec_/);
    expect(codesOf(page)).toContain(`export AUDIT1_SECRET='${connection.secret}'`);
    expect((await post(connection)).status).toBe(202);
  });

  it("answers a repeated post with the same connection", async () => {
    const browser = await person(ACME);
    const first = await created(browser);
    const again = await browser.post(`${NEW}?step=who`, first.fields);
    expect(codesOf(again)).toEqual(codesOf(first.page));
  });

  it("asks once more before a form that was changed makes a second connection", async () => {
    const browser = await person(ACME);
    const { fields, connection } = await created(browser);
    const changed = { ...fields, description: "Another" };
    const asked = await browser.post(`${NEW}?step=who`, changed);
    expect(asked.status).toBe(409);
    expect(asked.text).toContain("This form has already created a connection");
    expect(asked.text).toContain('value="Another"');
    const second = await browser.post(`${NEW}?step=who`, { ...changed, ...fieldsOf(asked) });
    expect(second.status).toBe(200);
    expect(codesOf(second)[0]).not.toContain(connection.id);
  });

  it("does not show the secret again once it was used, and offers a new one", async () => {
    const browser = await person(ACME);
    const employer = await createEmployer();
    const { fields, connection } = await created(browser, { employer_id: employer.id });
    await accepted(connection);
    const repeated = await browser.post(`${NEW}?step=who`, fields);
    const reloaded = await browser.get(stepOf("created", connection));
    for (const page of [repeated, reloaded]) {
      expect(page.status).toBe(200);
      expect(page.text).toContain("cannot be shown again");
      expect(page.text).not.toContain(connection.secret);
    }
    const form = { ...fieldsOf(reloaded), overlap: "0" };
    const rotated = await browser.post(stepOf("created", connection), form);
    expect(rotated.headers.get("Cache-Control")).toBe("no-store");
    const [, secret = ""] = codesOf(rotated);
    expect((await post({ id: connection.id, secret })).status).toBe(202);
    expect((await post(connection)).status).toBe(401);
    const twice = await browser.post(stepOf("created", connection), form);
    expect(twice.status).toBe(412);
    expect(twice.text).toContain("No new secret was made now.");
    expect((await post({ id: connection.id, secret })).status).toBe(202);
  });
});

describe("send one", () => {
  it.each(["curl", "node", "python", "go", "java", "php", "ruby", "other"])(
    "fills in the connection's values for %s, and never its secret",
    async (language) => {
      const connection = await createBoundConnection({ environment: "sandbox" });
      const browser = await person(ACME);
      const page = await browser.get(`${stepOf("send", connection)}&with=${language}`);
      const codes = codesOf(page).join("\n");
      expect(codes).toContain(inboundPath(connection));
      expect(codes).toContain(connection.fein);
      expect(page.text).not.toContain(connection.secret);
      expect(page.text).not.toContain("in production");
    },
  );

  it("warns of production, of an inactive connection and of an owner without employers", async () => {
    const owner = { type: "payroll_company", id: `none-${Date.now()}` } as const;
    const connection = await createConnection({ owner_id: owner.id });
    await setStatus(connection, "inactive");
    const { text } = await (await person(owner)).get(stepOf("send", connection));
    expect(text).toContain("This connection is in production");
    expect(text).toContain("The connection is inactive.");
    expect(text).toContain(`No employer is granted to ${owner.id} yet.`);
  });
});

describe("first request", () => {
  /** Until the request is shown. */
  async function shown(browser: Browser, connection: Connection, what: string): Promise<Shown> {
    return vi.waitFor(
      async () => {
        const page = await browser.get(stepOf("wait", connection));
        expect(page.text).toContain(what);
        return page;
      },
      { timeout: 3_000, interval: 100 },
    );
  }

  it("waits, and says what to do if nothing appears", async () => {
    const connection = await createBoundConnection();
    const { text } = await (await person(ACME)).get(stepOf("wait", connection));
    expect(text).toContain("Waiting for your first request");
    expect(text).toContain('id="tries" data-live="1"');
    expect(text).toContain("Sent it, and nothing appears here?");
  });

  it("says so if it cannot be told whether a report came", async () => {
    const connection = await createConnection();
    const browser = new Browser({ using: without("CONNECTION_GATE.list") });
    browser.cookie = (await person(ACME)).cookie;
    const { status, text } = await browser.get(stepOf("wait", connection));
    expect([status, readable(text).includes("The file could not be read.")]).toEqual([200, true]);
    expect(text).not.toContain("Waiting for your first request");
  });

  it("explains a refused signature within three seconds, with what to change", async () => {
    examinationTurns.clear();
    const connection = await createBoundConnection();
    const body = report();
    const signature = await sign(connection.secret, "0", body);
    const wrong = `sha256=${signature.toUpperCase()}`;
    const headers = { "X-Webhook-Signature": wrong, "X-Webhook-Timestamp": String(Date.now()) };
    const answer = await send(inboundPath(connection), { method: "POST", headers, body });
    expect(answer.status).toBe(401);
    const browser = await person(ACME, "view");
    const page = await shown(browser, connection, "Refused with 401");
    expect(page.text).toContain(DIAGNOSES.unknown.what);
    expect(page.text).toContain(DIAGNOSES.unknown.fix);
    expect(page.text).toContain("Compare with a sample");
    expect(page.text).not.toContain(signature.toUpperCase());
    expect(page.text).toContain(`href="/console/requests/${answer.headers.get("X-Audit1-Request-Id")}"`);
  });

  it("tells how far the sender's clock is off", async () => {
    const connection = await createBoundConnection();
    const late = { timestamp: String(Date.now() - 7 * 60_000 - 20_000) };
    expect((await post(connection, undefined, late)).status).toBe(401);
    await shown(await person(ACME), connection, "The sender&#39;s clock is 7 min behind");
  });

  it("says which employer a refused report may name", async () => {
    const bound = await createBoundConnection();
    const other = await createEmployer();
    await post(bound, report({ employer_fein: other.fein }));
    await shown(await person(ACME), bound, `speaks for <code>${bound.employerId}</code> only`);
    const unbound = await createConnection();
    await post(unbound);
    await shown(await person(ACME), unbound, "This connection is bound to no employer.");
  });

  it("follows an accepted report until it is completed, and tells its warnings", async () => {
    const connection = await createBoundConnection();
    const browser = await person(ACME);
    const fileId = await accepted(connection, report({ employees: [{ first_name: "<img onerror>" }] }));
    const queued = await shown(browser, connection, fileId);
    expect(queued.text).toContain("In a moment.");
    expect(queued.text).toContain("employees[0].class_code");
    expect(queued.text).toContain("Continue without waiting");
    await deliverFiles([fileId]);
    const processing = await browser.get(stepOf("wait", connection));
    expect(processing.text).toContain("It is being processed.");
    await complete(fileId);
    const completed = await browser.get(stepOf("wait", connection));
    expect(completed.text).toContain("<strong>It works.</strong>");
    expect(completed.text).toContain('data-live="2"');
  });

  it("shows the newest try, and the accepted report too, in a flood of refused ones", async () => {
    const connection = await createBoundConnection();
    const fileId = await accepted(connection);
    const stale = { timestamp: "1" };
    for (let i = 0; i < 40; i++) await post(connection, undefined, stale);
    const last = await post(connection, undefined, stale);
    const browser = await person(ACME);
    const page = await shown(browser, connection, last.headers.get("X-Audit1-Request-Id") ?? "none");
    expect(page.text).toContain(fileId);
    expect(page.text).toContain("1 accepted, 41 refused");
    expect(page.text.match(/<tr class="leads"/g)).toHaveLength(5);
  });
});

describe("done", () => {
  it("says that nothing has been proved yet, or what has", async () => {
    const connection = await createBoundConnection({ environment: "sandbox" });
    const browser = await person(ACME);
    const before = await browser.get(stepOf("done", connection));
    expect(before.text).toContain("Nothing has been accepted yet.");
    const fileId = await accepted(connection);
    expect((await browser.get(stepOf("done", connection))).text).toContain("Follow it");
    await deliverFiles([fileId]);
    await complete(fileId);
    const after = await browser.get(stepOf("done", connection));
    expect(after.text).toContain("The connection works");
    expect(after.text).toContain(`href="${NEW}?step=who&amp;environment=production"`);
  });
});

describe("who may", () => {
  it("a session that may only look is told why it cannot create, and can still watch", async () => {
    const browser = await person(ACME, "view");
    const connection = await createBoundConnection();
    for (const step of ["type", "who"]) {
      const { status, text } = await browser.get(`${NEW}?step=${step}`);
      expect(status).toBe(200);
      expect(text).toContain("You may look, but not set up a connection.");
      expect(text).not.toContain('<form method="post" data-busy');
    }
    const refused = await browser.post(`${NEW}?step=who`, { environment: "sandbox", key: "k" });
    expect(refused.status).toBe(403);
    expect(refused.text).not.toContain("whsec_");
    const gone = await browser.get(stepOf("created", connection));
    expect(gone.text).not.toContain('name="act" value="rotate"');
    const rotation = await browser.post(stepOf("created", connection), { act: "rotate", overlap: "0" });
    expect(rotation.status).toBe(403);
    expect((await post(connection)).status).toBe(202);
  });

  it.each(["created", "send", "wait", "done"])(
    "the step %s of another owner's connection, or of none, does not exist",
    async (step) => {
      const foreign = await createConnection({ owner_id: "somebody-else" });
      const browser = await person(ACME);
      for (const id of [foreign.id, "0".repeat(24), "../api-keys", "..", ""]) {
        const page = await browser.get(`${NEW}?step=${step}&connection=${encodeURIComponent(id)}`);
        expect(page.status).toBe(404);
        expect(page.text).toContain("No such connection");
      }
    },
  );
});
