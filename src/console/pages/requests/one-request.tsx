/** The page of one request: what is known of it, why it was refused and what to change, and what came of it. */
import { Hono } from "hono";
import type { Found, Link as Related } from "../../../portal/lookup/lookup-contract.ts";
import type { ConsoleContext, ConsoleEnv } from "../../console-host.ts";
import { noSuch } from "../../not-found.tsx";
import { page, statusOfRefused } from "../../page.tsx";
import { StateBadge, stateOf } from "../../parts/badge.tsx";
import { Reasons } from "../../parts/diagnosis.tsx";
import { Lifecycle, type Step } from "../../parts/lifecycle.tsx";
import { Link } from "../../parts/link.tsx";
import { Facts, Heading, Live, Notice, Panel } from "../../parts/panels.tsx";
import { Failed } from "../../parts/states.tsx";
import { bytes, duration, Id, Instant, shortId } from "../../parts/values.tsx";
import { to } from "../../paths.ts";
import { FoundObject, RelatedPanel } from "../find/found-object.tsx";

type FoundRequest = Extract<Found, { kind: "request" }>;
type Report = Extract<FoundRequest["summary"], { outcome: string }>;

/** Where the other requests are that came at about the same time. */
const AROUND_MS = 5 * 60_000;
const UNSETTLED_S = 3;

export const oneRequest = new Hono<ConsoleEnv>().get("/console/requests/:request_id", async (c) => {
  const id = c.req.param("request_id");
  const found = await c.get("api").get<Found>(`/lookup/${encodeURIComponent(id)}`);
  if (!found.ok && found.status === 404) return notKept(c, found.error.details?.requested_at);
  if (!found.ok)
    return page(
      c,
      { title: "Request", section: "connections", status: statusOfRefused(found) },
      <Failed error={found.error} what="The request" />,
    );
  if (found.body.kind !== "request") return notKept(c, undefined);
  const { summary, related } = found.body;
  return page(
    c,
    { title: `Request ${id}`, section: "connections" },
    "outcome" in summary ? (
      <RequestPage request={summary} related={related} />
    ) : (
      <FoundObject found={found.body} />
    ),
  );
});

/** `at`: when the request came, if its id says so. */
function notKept(c: ConsoleContext, at: unknown): Response {
  return noSuch(c, {
    noun: "request",
    section: "connections",
    list: { href: to.connections(), label: "Show connections" },
    ...(typeof at === "string" && { more: <NotKept at={at} /> }),
  });
}

function NotKept({ at }: { at: string }) {
  return (
    <>
      By its id, it came <Instant at={at} />. Requests that brought a report are kept for 90 days, refused
      ones for 30 days; of a flood, twenty a minute.
    </>
  );
}

function RequestPage({ request, related }: { request: Report; related: readonly Related[] }) {
  const { outcome, request_id, file_status: status, caller_request_id: callersId } = request;
  const connection = related.find(({ kind }) => kind === "connection");
  return (
    <>
      <Heading
        title="Request"
        aside={
          <>
            <StateBadge state={outcome} />
            <Id id={request_id} />
          </>
        }
      />
      {outcome === "refused" && (
        <Panel title="Why it was refused, and what to change">
          <Reasons request={request} />
        </Panel>
      )}
      {related.every(({ kind }) => kind !== "connection" && kind !== "api_key") && (
        <Notice meaning="warning">
          <p>
            It named a connection or an API key that does not exist, so it belongs to no owner. Compare the
            address that the sender uses with that of its connection.
          </p>
        </Notice>
      )}
      <div class="columns">
        <Panel title="What happened">
          <Live id="steps" seconds={status === "queued" || status === "processing" ? UNSETTLED_S : null}>
            <Lifecycle steps={stepsOf(request)} />
          </Live>
        </Panel>
        <Panel title="What it was">
          <Facts
            facts={[
              ["Answer", `${request.status}${request.code === null ? "" : ` ${request.code}`}`],
              ["The sender's own id", callersId === null ? null : <Id id={callersId} />],
              ["Size", request.bytes === null ? "The body was not read" : bytes(request.bytes)],
              ["Content type", request.content_type],
              ["Sent by", request.user_agent],
              ["Country", request.country],
              ["Clock of the sender", skewWords(request.clock_skew_ms)],
              ["Report", request.file_id === null ? null : <ReportLink id={request.file_id} />],
            ]}
          />
          {connection !== undefined && <Around connection={connection.id} at={Date.parse(request.at)} />}
        </Panel>
      </div>
      {related.length > 0 && <RelatedPanel related={related} />}
    </>
  );
}

function ReportLink({ id }: { id: string }) {
  return (
    <Link href={to.report(id)}>
      <code title={id}>{shortId(id)}</code>
    </Link>
  );
}

function Around({ connection, at }: { connection: string; at: number }) {
  const minute = (ms: number) => new Date(ms).toISOString().slice(0, 16);
  return (
    <p>
      <Link
        href={to.connection(connection, {
          tab: "requests",
          since: minute(at - AROUND_MS),
          until: minute(at + AROUND_MS),
        })}
      >
        Requests of the same ten minutes
      </Link>
    </p>
  );
}

/** The sender's timestamp against the gateway's clock. */
function skewWords(ms: number | null): string | null {
  if (ms === null) return null;
  if (Math.abs(ms) < 1_000) return `Right, within ${Math.abs(ms)} ms`;
  return `${duration(Math.abs(ms))} ${ms > 0 ? "ahead, or signed for later" : "behind, or signed that long before"}`;
}

function stepsOf(request: Report): Step[] {
  const { outcome, ms, clock_skew_ms: skew, file_id: fileId, file_status: status } = request;
  const at = Date.parse(request.at);
  const signedAt = skew === null ? null : new Date(at + skew);
  const hasTime = signedAt !== null && !Number.isNaN(signedAt.getTime());
  const answer = { accepted: "Accepted", duplicate: "Recognized as a repeat", refused: "Refused" }[outcome];
  return [
    ...(hasTime
      ? [
          {
            title: "Signed",
            meaning: "good" as const,
            at: signedAt.getTime(),
            text: "By the timestamp that the sender signed.",
          },
        ]
      : []),
    { title: "Arrived", meaning: "good", at },
    {
      title: answer,
      meaning: outcome === "refused" ? "bad" : "good",
      at: ms === null ? null : at + ms,
      text: answerWords(request),
    },
    ...(fileId !== null && status !== null
      ? [
          {
            title: `Its report is ${stateOf(status).word.toLowerCase()}`,
            meaning: stateOf(status).meaning,
            at: null,
            text: <ReportLink id={fileId} />,
            isNext: status === "queued" || status === "processing",
          },
        ]
      : []),
  ];
}

function answerWords({ outcome, status, code, ms }: Report): string {
  const took = ms === null ? "" : ` after ${duration(ms)}`;
  if (outcome === "accepted") return `Answered${took}, once the report was stored.`;
  if (outcome === "duplicate")
    return `Answered ${status}${took}, with the file id of the first one. Nothing is sent on twice.`;
  return `Answered ${status}${code === null ? "" : ` ${code}`}${took}. Nothing of its content is kept.`;
}
