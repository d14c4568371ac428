/**
 * Error responses of the document, made from the table of public errors: an operation names the failures that it can end in,
 * and {@link describeFailure} supplies their statuses, texts, codes and headers.
 */
import * as z from "zod";
import type { ZodOpenApiResponseObject, ZodOpenApiResponsesObject } from "zod-openapi";
import { describeFailure, type Failure, type FailureAnswer } from "../http/failure.ts";
import { REPEAT_PROMISES, type Repeatable } from "../http/repeat-promise.ts";
import { type HeaderName, headersWith } from "./answer-headers.ts";
import { EXAMPLE } from "./examples.ts";

const errorForm = z
  .strictObject({
    error: z
      .string()
      .meta({ description: "What went wrong. The text is fixed, so programs may compare it." }),
    message: z.string().meta({ description: "How to fix it, for people." }),
    code: z
      .string()
      .regex(/^[A-Z_]+$/)
      .meta({
        description: "The class of the error. Several errors may share a code; `error` tells them apart.",
      }),
    details: z.record(z.string(), z.unknown()).optional().meta({
      description: "More about the error, if there is more. Field problems map each path to a message.",
    }),
    request_id: z.string().meta({ description: "Quote it to support." }),
    timestamp: z.iso.datetime(),
    success: z.literal(false).optional().meta({ description: "For a batch of events." }),
    results: z
      .array(z.record(z.string(), z.unknown()))
      .optional()
      .meta({ description: "For a batch of events that all failed: the outcome of each." }),
  })
  .meta({ id: "Error", description: "The form of every error." });

export function failureResponses(
  failures: readonly Failure[],
  sometimes: readonly HeaderName[],
  repeats?: Repeatable,
): ZodOpenApiResponsesObject {
  // A creation promises something only with an `Idempotency-Key`, which the examples do not show.
  const promise = repeats === "file" ? ` ${REPEAT_PROMISES.file}` : "";
  const described = failures.map(describeFailure).map((answer) => ({
    ...answer,
    message: answer.code === "SERVICE_UNAVAILABLE" ? `${answer.message}${promise}` : answer.message,
  }));
  const byStatus = Map.groupBy(described, ({ status }) => status);
  const responses: Record<string, ZodOpenApiResponseObject> = {};
  for (const [status, answers] of byStatus) responses[status] = responseTo(answers, sometimes);
  return responses as ZodOpenApiResponsesObject;
}

function responseTo(
  answers: readonly FailureAnswer[],
  sometimes: readonly HeaderName[],
): ZodOpenApiResponseObject {
  const names = new Set(answers.flatMap(({ headers = {} }) => Object.keys(headers))) as Set<HeaderName>;
  const always = [...names].filter((name) => answers.every(({ headers = {} }) => name in headers));
  const occasional = [...names].filter((name) => !always.includes(name));
  return {
    description: [...new Set(answers.map(({ error }) => `\`${error}\``))].join(", "),
    headers: headersWith(always, [...occasional, ...sometimes]),
    content: { "application/json": { schema: errorForm, examples: examplesOf(answers) } },
  };
}

function examplesOf(answers: readonly FailureAnswer[]) {
  const examples: Record<string, { summary: string; value: z.infer<typeof errorForm> }> = {};
  for (const { error, message, code, details } of answers) {
    const value = {
      error,
      message,
      code,
      ...(details && { details }),
      request_id: EXAMPLE.requestId,
      timestamp: EXAMPLE.at,
    };
    examples[nameOf(message, Object.keys(examples).length)] = { summary: error, value };
  }
  return examples;
}

/** Unique within an answer, and of the characters that a component's name may have. */
function nameOf(message: string, position: number): string {
  const words = message.toLowerCase().match(/[a-z]+/g) ?? [];
  return `${position + 1}_${words.slice(0, 5).join("_")}`;
}
