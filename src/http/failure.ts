/** A request's failure: a kind from the table of public errors with that kind's parameters, and the response to it. */
import { type Details, ERRORS, type PublicError } from "./errors.ts";

export type ErrorKind = keyof typeof ERRORS;

type ParamsOf<Kind extends ErrorKind> =
  (typeof ERRORS)[Kind] extends PublicError<infer Params> ? Params : never;

/** One object type, so that an unknown parameter is a type error. */
type Flat<T> = T extends unknown ? { [Field in keyof T]: T[Field] } : never;

export type Failure = { [Kind in ErrorKind]: Flat<{ kind: Kind } & ParamsOf<Kind>> }[ErrorKind];

export interface FailureAnswer {
  status: PublicError<unknown>["status"];
  error: string;
  code: string;
  message: string;
  details?: Details;
  headers?: Record<string, string>;
}

export function describeFailure(failure: Failure): FailureAnswer {
  // The type of a failure pairs each kind with the parameters of that kind's entry.
  const { status, error, code, message, details, headers } = ERRORS[failure.kind] as PublicError<Failure>;
  const detailed = details?.(failure);
  return {
    status,
    error,
    code,
    message: typeof message === "string" ? message : message(failure),
    ...(detailed !== undefined && { details: detailed }),
    ...(headers !== undefined && { headers: headers(failure) }),
  };
}
