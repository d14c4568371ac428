/** One attempt: the request that was sent beside the response that came. */
import type { ShownAttempt } from "../../../portal/webhooks/delivery-contract.ts";
import type { ListedWebhook } from "../../../portal/webhooks/webhook-contract.ts";
import { Badge } from "../../parts/badge.tsx";
import { Code } from "../../parts/panels.tsx";
import { duration, Instant } from "../../parts/values.tsx";
import { causeOf, outcomeMeaning, outcomeWords } from "./delivery-words.ts";

interface AttemptProps {
  attempt: ShownAttempt;
  /** Null if it was deleted or could not be read. */
  webhook: ListedWebhook | null;
}

export function AttemptExchange({ attempt, webhook }: AttemptProps) {
  const { number, startedAt, ms } = attempt;
  return (
    <article class="attempt" data-key={String(number)}>
      <div class="step-title">
        <h3>Attempt {number}</h3>
        <Badge meaning={outcomeMeaning(attempt)}>{outcomeWords(attempt)}</Badge>
        <span class="quiet">{duration(ms)}</span>
        <Instant at={startedAt} />
      </div>
      <p>{causeOf(attempt)}</p>
      <div class="columns">
        <Request attempt={attempt} webhook={webhook} />
        <Response attempt={attempt} />
      </div>
    </article>
  );
}

function Request({ attempt: { requestHeaders }, webhook }: AttemptProps) {
  if (requestHeaders === null)
    return (
      <section class="exchange">
        <h4>Request</h4>
        <p class="quiet">Nothing was sent.</p>
      </section>
    );
  const custom = webhook?.headers ?? [];
  return (
    <section class="exchange">
      <h4>Request</h4>
      <p>
        <code>POST {webhook?.url_masked}</code>
      </p>
      <Headers headers={requestHeaders} />
      <p class="quiet small">
        Also the signatures in <code>x-webhook-signature</code>, <code>audit1-signature</code> and{" "}
        <code>webhook-signature</code>, which are not kept
        {custom.length > 0 && (
          <>
            , and the webhook's own headers (now{" "}
            {custom.map((name, i) => (
              <>
                {i > 0 && ", "}
                <code>{name}</code>
              </>
            ))}
            )
          </>
        )}
        . The body is the event.{webhook !== null && " The address is the webhook's present one."}
      </p>
    </section>
  );
}

function Response({ attempt: { responseCode, headers, answer, ms } }: { attempt: ShownAttempt }) {
  return (
    <section class="exchange">
      <h4>Response</h4>
      {responseCode === null ? (
        <p class="quiet">None came.</p>
      ) : (
        <>
          <p>
            <code>{responseCode}</code> <span class="quiet">after {duration(ms)}</span>
          </p>
          {headers !== null && Object.keys(headers).length > 0 && <Headers headers={headers} />}
          {answer ? (
            <Code text={answer} what="body" label="The first kilobyte of the body" />
          ) : (
            <p class="quiet small">The body was empty, or is no longer kept.</p>
          )}
        </>
      )}
    </section>
  );
}

function Headers({ headers }: { headers: Record<string, string> }) {
  return (
    <dl class="headers">
      {Object.entries(headers).map(([name, value]) => (
        <div>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}
