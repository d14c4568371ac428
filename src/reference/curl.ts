/** Writes a shell command that sends an operation's request, with the values of its examples. */
import type { Contract, Operation, Parameter, SecurityScheme } from "./document-model.ts";

/** The environment variable that holds a scheme's credential. */
export function variableOf({ name }: SecurityScheme): string {
  return name === undefined
    ? "AUDIT1_API_KEY"
    : `AUDIT1_${name.replace(/^X-/, "").replaceAll("-", "_").toUpperCase()}`;
}

export function curlCommand(operation: Operation, contract: Contract): string {
  const { securitySchemes } = contract;
  const { method, body, ways } = operation;
  const [content] = body;
  const [example] = content?.examples ?? [];
  const isSigned = ways.some((way) => way.includes("webhookSignature"));
  const text =
    typeof example?.value === "string"
      ? example.value
      : JSON.stringify(example?.value, null, isSigned ? 0 : 2);
  const lines = [
    `curl${method === "GET" ? "" : ` -X ${method}`} "$AUDIT1_URL${addressOf(operation, contract)}"`,
  ];
  for (const scheme of isSigned ? [] : (ways[0] ?? []))
    lines.push(`-H "${credential(securitySchemes[scheme])}"`);
  if (isSigned) lines.push(`-H "X-Webhook-Timestamp: $TIMESTAMP"`, `-H "X-Webhook-Signature: $SIGNATURE"`);
  if (content !== undefined) {
    lines.push(`-H "Content-Type: ${content.type}"`);
    lines.push(`--data-binary ${isSigned ? '"$BODY"' : quoted(text ?? "")}`);
  }
  const command = lines.join(" \\\n  ");
  return isSigned ? `${signing(text ?? "")}\n\n${command}` : command;
}

function signing(body: string): string {
  return [
    "TIMESTAMP=$(date +%s)000",
    `BODY=${quoted(body)}`,
    `SIGNATURE=$(printf '%s.%s' "$TIMESTAMP" "$BODY" | openssl dgst -sha256 -hmac "$AUDIT1_SECRET" | sed 's/^.* //')`,
  ].join("\n");
}

function credential(scheme: SecurityScheme | undefined): string {
  if (scheme === undefined) return "";
  return `${scheme.name ?? "Authorization"}: ${scheme.name === undefined ? "Bearer " : ""}$${variableOf(scheme)}`;
}

function addressOf(operation: Operation, contract: Contract): string {
  const { path, parameters } = operation;
  const filled = path.replace(/\{(\w+)\}/g, (whole, name: string) => {
    const parameter = parameters.find((one) => one.in === "path" && one.name === name);
    return parameter === undefined ? whole : encodeURIComponent(exampleValue(parameter, operation, contract));
  });
  const query = parameters
    .filter((one) => one.in === "query" && isNeeded(one, operation))
    .map((one) => `${one.name}=${encodeURIComponent(exampleValue(one, operation, contract))}`);
  return query.length === 0 ? filled : `${filled}?${query.join("&")}`;
}

/**
 * A body or the credentials may name the owner instead, so the owner's parameters are optional in every schema. A portal
 * client that sends no body needs them: the operation then lists the error `owner_id_required`.
 */
function isNeeded({ name, required = false }: Parameter, { body, ways, answers }: Operation): boolean {
  if (required || body.length > 0 || ways[0]?.includes("apiKey")) return required;
  const examples = answers.flatMap(({ content }) => content.flatMap((one) => one.examples));
  return examples.some(({ value }) => isRecord(value) && value.error === `${name}_required`);
}

/** The parameter's own example, or the field of its name in the operation's examples, or in those of another operation. */
function exampleValue({ name, schema }: Parameter, operation: Operation, { chapters }: Contract): string {
  const others = chapters.flatMap(({ operations }) => operations);
  const shown = schema.examples?.[0] ?? shownBy(operation, name) ?? schema.default ?? schema.const;
  const elsewhere = () => others.map((other) => shownBy(other, name)).find((value) => value !== undefined);
  return String(shown ?? elsewhere() ?? schema.enum?.[0] ?? name);
}

function shownBy({ answers }: Operation, name: string): unknown {
  return answers
    .filter(({ status }) => status < 300)
    .flatMap(({ content }) =>
      content.flatMap(({ examples }) => examples.map(({ value }) => found(value, name))),
    )
    .find((value) => typeof value === "string");
}

/** The first field of this name at any depth. */
function found(value: unknown, name: string): unknown {
  if (!isRecord(value)) return undefined;
  if (typeof value[name] === "string") return value[name];
  for (const field of Object.values(value)) {
    const below = found(field, name);
    if (below !== undefined) return below;
  }
  return undefined;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
