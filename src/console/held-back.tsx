/** Answers an address that has sent too many unknown tokens, and others while too many are being looked up. */
import { describeFailure, type Failure } from "../http/failure.ts";
import type { ConsoleContext } from "./console-host.ts";
import { PlainPage } from "./layout.tsx";
import { html } from "./page.tsx";

export function heldBack(c: ConsoleContext, failure: Failure): Response {
  const { status, headers = {} } = describeFailure(failure);
  const seconds = headers["Retry-After"] ?? "5";
  c.header("Retry-After", seconds);
  c.env.log.outcome = failure.kind;
  const content = (
    <>
      <h1>Try again in a moment</h1>
      <p class="notice bad" role="alert">
        {status === 429
          ? "Too many sign-ins from your network have failed."
          : "The gateway is busy and could not look at your sign-in."}{" "}
        Wait {seconds} seconds, then load the page again.
      </p>
    </>
  );
  return html(c, <PlainPage title="Try again">{content}</PlainPage>, status === 429 ? 429 : 503);
}
