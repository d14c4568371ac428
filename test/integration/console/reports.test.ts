/** The lists of reports, the page of each, and replaying them. */
import { beforeEach, describe, expect, it, vi } from "vitest";
import { newObjectId } from "../../../src/crypto/ids.ts";
import { mintFileId } from "../../../src/gate/file-id.ts";
import { clientLimits } from "../../../src/portal/client-limits.ts";
import { Browser, person, readable, staff } from "../../support/console.ts";
import { PAYROLL, payroll, submit } from "../../support/developer.ts";
import {
  accepted,
  advance,
  answering,
  creatorThat,
  deliverFiles,
  recordOf,
  wakeUpsOfEachTest,
} from "../../support/forwarding.ts";
import {
  bindings,
  type Connection,
  createApiKey,
  createBoundConnection,
  createEmployer,
  portal,
  report,
} from "../../support/gateway.ts";
import { without } from "../../support/interception.ts";

wakeUpsOfEachTest();

const ACME = { type: "payroll_company", id: "acme" } as const;
const OTHER = { owner_type: "payroll_company", owner_id: "other" };
const PAYLOAD = "<img src=x onerror=alert(1)>";
const AS_ACME = "owner=payroll_company/acme";

beforeEach(() => bindings.DB.prepare("DELETE FROM attention").run());

async function fail(connection: Connection, body?: string): Promise<string> {
  const file = await accepted(connection, body);
  await deliverFiles([file], creatorThat(answering(422)).using);
  return file;
}

async function complete(fileId: string, fields: object = {}): Promise<void> {
  const data = { fileId, ...fields };
  const event = { id: `evt_${newObjectId()}`, type: "file.processed", data };
  expect((await portal("POST", "/events", event)).status).toBe(202);
}

const page = (fileId: string, query = "") => `/console/reports/${fileId}${query}`;
const dialogOf = (text: string) => readable(/<dialog[\s\S]*<\/dialog>/.exec(text)?.[0] ?? "");

describe("the list", () => {
  it("for staff without an owner: what is stuck or has failed of everybody, or that nothing is", async () => {
    const browser = await staff();
    const empty = readable((await browser.get("/console/reports")).text);
    expect(empty).toContain("No report is stuck or has failed.");
    expect(empty).toContain("not available: Choose an owner or a sender first.");
    const connection = await createBoundConnection();
    const file = await fail(connection);
    const { text } = await browser.get("/console/reports");
    expect(text).toContain(`href="/console/reports/${file}"`);
    expect(text).toContain(`href="/console/connections/${connection.id}"`);
    expect(readable(text)).toMatch(/Refused by the files-creator \(422\).* 1 report /);
    const none = readable((await browser.get("/console/reports?reason=gave_up")).text);
    expect(none).toContain("No reports match these filters. Clear filters");
  });

  it("of an owner: queued and failed ones of one environment, with every sender to choose", async () => {
    const connection = await createBoundConnection({ description: PAYLOAD });
    const key = await createApiKey();
    const failed = await fail(connection);
    const queued = await accepted(connection);
    await deliverFiles([queued], creatorThat(answering(503)).using);
    const done = await accepted(connection);
    await deliverFiles([done], creatorThat().using);
    const { text } = await (await person(ACME)).get("/console/reports");
    expect(text).toContain(page(failed));
    expect(text).toContain(page(queued));
    expect(text).not.toContain(done);
    expect(text).toContain(`<option value="${connection.id}">&lt;img src=x`);
    expect(text).toContain(`<option value="ak_${key.id}">`);
    expect(text).not.toContain("<img");
    expect(readable(text)).toContain("Queued and failed reports in production.");
    const ofStaff = await (await staff()).get(`/console/reports?${AS_ACME}&status=failed`);
    expect(ofStaff.text).toContain(page(failed, "?owner=payroll_company%2Facme"));
    expect(ofStaff.text).not.toContain(queued);
    const sandbox = await (await staff()).get(`/console/reports?${AS_ACME}&environment=sandbox`);
    expect(readable(sandbox.text)).toContain("Queued and failed reports in sandbox.");
    expect(sandbox.text).not.toContain(failed);
  });

  it("calls an attempt due whose time has passed", async () => {
    const connection = await createBoundConnection();
    const queued = await accepted(connection);
    await deliverFiles([queued], creatorThat(answering(503)).using);
    const browser = await person(ACME);
    advance(3_600_000);
    const { text } = await browser.get(`/console/reports?sender=${connection.id}`);
    expect(readable(text)).toMatch(/Queued .* 1 due /);
  });

  it("of one sender: all of its reports, in pages, by status, employer and time", async () => {
    const connection = await createBoundConnection();
    const files: string[] = [];
    for (let i = 0; i < 52; i++) files.push(await accepted(connection, report({ n: i })));
    const browser = await person(ACME);
    const of = `/console/reports?sender=${connection.id}`;
    const first = await browser.get(of);
    expect(readable(first.text)).toContain("52 reports");
    expect(first.text).not.toContain(files[0]);
    const older = /href="([^"]*cursor=[^"]*)"/.exec(first.text)?.[1]?.replaceAll("&amp;", "&") ?? "";
    expect((await browser.get(older)).text).toContain(files[0]);
    expect(readable((await browser.get(`${of}&status=completed`)).text)).toContain("No reports match");
    const since = new Date(Date.now() + 3_600_000).toISOString().slice(0, 16);
    expect(readable((await browser.get(`${of}&since=${since}`)).text)).toContain("No reports match");
    const employed = await browser.get(`${of}&employer=${connection.employerId}&until=${since}`);
    expect(employed.text).toContain(page(files.at(-1) ?? ""));
  });

  it("of a key names the key, and of a sender without reports says what to do", async () => {
    const key = await createApiKey();
    const browser = await person(ACME);
    const of = `/console/reports?sender=ak_${key.id}`;
    expect(readable((await browser.get(of)).text)).toContain("Nothing has come from this sender in 90 days.");
    const employer = await createEmployer();
    const sent = await submit(key, PAYROLL, payroll({ employerId: employer.id }));
    expect((await browser.get(of)).text).toContain(page(sent.json.file_id));
  });

  it("says which filter cannot be used, and shows that it failed in its place", async () => {
    const browser = await person(ACME);
    const unknown = readable((await browser.get(`/console/reports?sender=${newObjectId()}`)).text);
    expect(unknown).toMatch(/These filters cannot be used\. .* Clear filters/);
    const broken = readable((await browser.get("/console/reports?status=completed")).text);
    expect(broken).toContain("These filters cannot be used.");
    const connection = await createBoundConnection();
    const using = without("CONNECTION_GATE.listFiles");
    const away = new Browser({ using });
    away.cookie = browser.cookie;
    const { status, text } = await away.get(`/console/reports?sender=${connection.id}`);
    expect(status).toBe(200);
    expect(readable(text)).toMatch(/The reports could not be read\..*Request req_.*Try again/);
  });

  it("never shows another owner's", async () => {
    const theirs = await createBoundConnection({ ...OTHER, employer_id: (await createEmployer([OTHER])).id });
    const file = await fail(theirs);
    const browser = await person(ACME);
    expect((await browser.get("/console/reports")).text).not.toContain(file);
    const refused = readable((await browser.get(`/console/reports?sender=${theirs.id}`)).text);
    expect(refused).toContain("These filters cannot be used.");
    for (const path of [page(file), page(file, "?owner=payroll_company/other")]) {
      const shown = await browser.get(path);
      expect(shown.status).toBe(404);
      expect(readable(shown.text)).toContain("No such report");
    }
    const scoped = await (await staff()).get(page(file, `?${AS_ACME}`));
    expect(scoped.status).toBe(404);
  });
});

describe("a bulk replay", () => {
  it("is counted when its dialog opens, and begun as a job", async () => {
    const connection = await createBoundConnection();
    await fail(connection);
    await fail(connection);
    const browser = await person(ACME);
    const path = `/console/reports?sender=${connection.id}&do=replay`;
    const { text } = await browser.get(path);
    expect(dialogOf(text)).toContain("2 reports match.");
    expect(dialogOf(text)).not.toContain("completed");
    const until = /name="until" value="([^"]*)"/.exec(text)?.[1] ?? "";
    const begun = await browser.post(path, { act: "replay", until });
    expect([begun.status, begun.location]).toEqual([
      303,
      expect.stringMatching(/^\/console\/jobs\/[0-9a-f]{24}$/),
    ]);
  });

  it("of an owner's reports says that both environments take part", async () => {
    await fail(await createBoundConnection());
    const { text } = await (await staff()).get(`/console/reports?${AS_ACME}&do=replay`);
    expect(dialogOf(text)).toMatch(
      /All connections and keys of acme, in both environments .* Replay \d+ reports?/,
    );
  });

  it("takes completed ones only for staff, of one sender, and says that a premium may be doubled", async () => {
    const connection = await createBoundConnection();
    const done = await accepted(connection);
    await deliverFiles([done], creatorThat().using);
    await complete(done);
    const of = `/console/reports?sender=${connection.id}`;
    const operator = await staff();
    const failedOnly = (await operator.get(`${of}&do=replay`)).text;
    expect(dialogOf(failedOnly)).toMatch(/No report matches.*Count completed ones too/);
    const path = `${of}&do=replay-completed`;
    const { text } = await operator.get(path);
    expect(dialogOf(text)).toMatch(/Replay failed and completed reports .*premium doubled.*Replay 1 report/);
    const until = /name="until" value="([^"]*)"/.exec(text)?.[1] ?? "";
    const differs = await operator.post(path, { act: "replay", until, count: "7" });
    expect(differs.status).toBe(409);
    expect(dialogOf(differs.text)).toMatch(/Nothing was queued\..*One report matches/);
    const begun = await operator.post(path, { act: "replay", until, count: "1" });
    expect(begun.location).toMatch(/^\/console\/jobs\//);

    const browser = await person(ACME);
    expect(dialogOf((await browser.get(`${of}&do=replay`)).text)).not.toContain("completed");
    expect(dialogOf((await browser.get(path)).text)).toContain(
      "Only the portal itself can replay completed files",
    );
    const filtered = (await browser.get(`${of}&status=completed&do=replay`)).text;
    expect(dialogOf(filtered)).toContain("Completed reports are replayed one by one, or by Audit1.");
  });

  it("is not offered to somebody who may only look, and refused", async () => {
    const connection = await createBoundConnection();
    await fail(connection);
    const browser = await person(ACME, "view");
    const path = `/console/reports?sender=${connection.id}&do=replay`;
    const { text } = await browser.get(path);
    expect(text).toContain('aria-disabled="true"');
    expect(dialogOf(text)).toContain("You may look, but not change anything.");
    const posted = await browser.post(path, { act: "replay", until: new Date().toISOString() });
    expect(posted.status).toBe(403);
  });
});

describe("the page of a report", () => {
  it("tells the way of a report that was deferred, taken and completed, with its events and deliveries", async () => {
    const webhook = {
      owner_type: ACME.type,
      owner_id: ACME.id,
      url: "https://hooks.acme.com/x",
      events: ["file.*"],
    };
    const hook: string = (await portal("POST", "/webhooks", webhook)).json.webhook.id;
    const connection = await createBoundConnection();
    const file = await accepted(connection, undefined, { headers: { "X-Request-Id": "run-7" } });
    const browser = await person(ACME);
    const queued = await browser.get(page(file));
    expect(readable(queued.text)).toMatch(
      /Signed .*By the sender's clock.* Received .*which its sender calls run-7.* Admitted .* Queued .* Hand over Within seconds.* Processing Completed Archived/,
    );
    // The state and the button beside the title change with the steps.
    expect(queued.text).toMatch(
      /<div id="report-head" data-live="3"[^>]*><header[\s\S]*<div id="report" data-live="3"/,
    );
    await deliverFiles([file], creatorThat(answering(503)).using);
    expect(readable((await browser.get(page(file))).text)).toMatch(
      /Attempt failed .*answered 503 and gets it again\. Hand over Next attempt .* If the files-creator does not take it by/,
    );
    advance(60_000);
    expect(readable((await browser.get(page(file))).text)).toContain("Due: under way, or waiting");
    await deliverFiles([file], creatorThat().using);
    const taken = readable((await browser.get(page(file))).text);
    expect(taken).toMatch(/Handed over .*The files-creator took it\. Processing .*It holds 1 records?/);
    await complete(file, { recordsTotal: 3, recordsProcessed: 2, recordsFailed: 1 });
    const { text, status } = await browser.get(page(file));
    expect(status).toBe(200);
    expect(readable(text)).toMatch(
      /Processing .*Completed .*2 of 3 records processed, 1 failed\. Archived Moves to the archive/,
    );
    expect(readable(text)).toMatch(/file\.uploaded .*file\.processed/);
    expect(text).toMatch(/href="\/console\/deliveries\/del_/);
    expect(text).toContain(`href="/console/webhooks/${hook}"`);
    expect(text).toMatch(
      /href="\/console\/events\/evt_uploaded_[^"]*owner=payroll_company%2Facme&amp;environment=production"/,
    );
    expect(text).toContain(`href="/console/connections/${connection.id}"`);
    expect(text).toContain(`href="/console/requests/${(await recordOf(file)).facts.requestId}"`);
  });

  it("shows the warnings that its sender was told, as text", async () => {
    const connection = await createBoundConnection();
    const body = report({ [PAYLOAD]: "\ud83d", employees: [{}] }).replace("\ud83d", "\\ud83d");
    const file = await accepted(connection, body);
    const { text } = await (await person(ACME)).get(page(file));
    expect(text).not.toContain("<img");
    expect(readable(text)).toMatch(/Field Problem .*employees\[0\]\.\w+ Required field missing/);
    const clean = await accepted(connection);
    expect(readable((await (await person(ACME)).get(page(clean))).text)).toContain(
      "None: its sender was told of no problem with a field.",
    );
  });

  it.each([
    ["rejected", [422], /Handed over and rejected .*with 422\. Failed .*Correct it and send it again/],
    ["taken and failed later", [], /Handed over .*Failed .*reported later that it could not be processed/],
  ] as const)("says why a report has failed: %s", async (_how, answers, words) => {
    const file = await accepted(await createBoundConnection());
    await deliverFiles([file], creatorThat(answering(...answers)).using);
    if (answers.length === 0) {
      const event = { id: `evt_${newObjectId()}`, type: "file.failed", data: { fileId: file } };
      await portal("POST", "/events", event);
    }
    const { text } = await (await person(ACME)).get(page(file));
    expect(readable(text)).toMatch(words);
    expect(text).not.toContain(`data-live="3"`);
  });

  it("of a report that a key brought leads to the key, and has no signature", async () => {
    const key = await createApiKey();
    const employer = await createEmployer();
    const { json } = await submit(key, PAYROLL, payroll({ employerId: employer.id }));
    const { text } = await (await person(ACME)).get(page(json.file_id));
    expect(text).toContain(`href="/console/settings?tab=keys&amp;key=ak_${key.id}"`);
    expect(readable(text)).not.toContain("Signed");
  });

  it("is a 404 where there is no such report, and says so where it cannot be read", async () => {
    const browser = await staff();
    const connection = await createBoundConnection();
    for (const id of [
      mintFileId({ kind: "connection", id: connection.id }, Date.now()),
      connection.id,
      encodeURIComponent(PAYLOAD),
    ]) {
      const shown = await browser.get(page(id));
      expect(shown.status).toBe(404);
      expect(shown.text).not.toContain("<img");
    }
    const file = await accepted(connection);
    const using = without("CONNECTION_GATE.status");
    const away = new Browser({ using });
    away.cookie = browser.cookie;
    const failed = await away.get(page(file));
    expect(failed.status).toBe(503);
    expect(readable(failed.text)).toContain("The report could not be read.");
  });

  it("is not called missing when too much was asked in a minute", async () => {
    const browser = await staff();
    const file = await accepted(await createBoundConnection());
    vi.spyOn(clientLimits, "exceeded").mockReturnValue({
      allowed: false,
      limit: 600,
      remaining: 0,
      resetAt: Date.now() + 30_000,
      window: "1 minute",
    });
    const { status, text } = await browser.get(page(file));
    expect([status, readable(text).includes("The report could not be read.")]).toEqual([429, true]);
  });
});

describe("the replay of one report", () => {
  it("says what comes of it, queues it as a new generation, and says so", async () => {
    const file = await fail(await createBoundConnection());
    const browser = await person(ACME);
    const { text } = await browser.get(page(file, "?do=replay"));
    expect(dialogOf(text)).toMatch(/as generation 2.*It fails again if what made it fail has not changed/);
    expect(dialogOf(text)).not.toContain("premium");
    const done = await browser.post(page(file, "?do=replay"), { act: "replay" });
    expect([done.status, done.location]).toEqual([303, page(file, "?done=2")]);
    const shown = readable((await browser.get(done.location ?? "")).text);
    expect(shown).toContain("Replayed: it was queued again, as generation 2.");
    expect(shown).toMatch(/Handed over and rejected .*Queued again .*Replayed, as generation 2\. Hand over/);
    const again = await browser.post(page(file, "?do=replay"), { act: "replay" });
    expect(again.status).toBe(409);
    expect(dialogOf(again.text)).toContain("Nothing was queued.");
  });

  it("of a completed one warns of a doubled premium, and keeps its first completion", async () => {
    const file = await accepted(await createBoundConnection());
    await deliverFiles([file], creatorThat().using);
    await complete(file);
    const browser = await staff();
    const { text } = await browser.get(page(file, "?do=replay"));
    expect(dialogOf(text)).toMatch(/Replay a completed report .*premium doubled.*Replay it all the same/);
    advance(1_000);
    await browser.post(page(file, `?do=replay&${AS_ACME}`), { act: "replay" });
    advance(1_000);
    await deliverFiles([file], creatorThat().using);
    advance(1_000);
    await complete(file);
    const shown = readable((await browser.get(page(file))).text);
    expect(shown).toMatch(
      /Handed over .*Completed .*For the first time\. Queued again .*Handed over .*Completed .*Archived/,
    );
    expect(shown).toContain("Generation 2");
  });

  it("is not available while the report is on its way, nor to somebody who may only look", async () => {
    const connection = await createBoundConnection();
    const queued = await accepted(connection);
    const manager = await person(ACME);
    const { text } = await manager.get(page(queued, "?do=replay"));
    expect(readable(text)).toContain("not available: It is on its way.");
    expect(dialogOf(text)).toContain("It can be replayed once it is completed or has failed.");
    expect((await manager.post(page(queued), { act: "replay" })).status).toBe(409);
    const failed = await fail(connection);
    const viewer = await person(ACME, "view");
    expect(readable((await viewer.get(page(failed))).text)).toContain("not available: You may look");
    expect((await viewer.post(page(failed), { act: "replay" })).status).toBe(403);
    expect((await recordOf(failed)).status).toBe("failed");
  });
});
