/** What the step Who asks, and the API's request that it becomes. */
import { newObjectId } from "../../../crypto/ids.ts";
import { ENVIRONMENTS, type Environment, PLANS, type Plan } from "../../../model.ts";

export interface WhoValues {
  environment: Environment;
  /** Null: as the environment. */
  plan: Plan | null;
  /** Empty for a connection that is bound to none. */
  employer: string;
  description: string;
  email: string;
  /** Makes a repeated post create nothing more. */
  key: string;
}

export function emptyValues(environment: Environment | null): WhoValues {
  return {
    environment: environment ?? "sandbox",
    plan: null,
    employer: "",
    description: "",
    email: "",
    key: newKey(),
  };
}

export function newKey(): string {
  return `setup-${newObjectId()}`;
}

/** Reads a posted form. Fields that are missing count as empty. */
export function valuesOf(form: Record<string, string>): WhoValues {
  const text = (name: string) => form[name]?.trim() ?? "";
  return {
    environment: ENVIRONMENTS.find((each) => each === text("environment")) ?? "sandbox",
    plan: PLANS.find((each) => each === text("plan")) ?? null,
    employer: text("employer_id"),
    description: text("description"),
    email: text("notification_email"),
    key: text("key") || newKey(),
  };
}

/** Fields that are left out take the API's defaults. */
export function creationOf({ environment, plan, employer, description, email }: WhoValues): object {
  return {
    type: "webhook",
    environment,
    ...(plan !== null && { plan }),
    ...(employer !== "" && { employer_id: employer }),
    ...(description !== "" && { description }),
    ...(email !== "" && { notification_email: email }),
  };
}
