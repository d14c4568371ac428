/** The contract document in the shape that its pages need: chapters of operations, with references resolved. */

export interface Schema {
  $ref?: string;
  type?: string | string[];
  properties?: Record<string, Schema>;
  required?: string[];
  additionalProperties?: boolean | Schema;
  items?: Schema;
  anyOf?: Schema[];
  enum?: unknown[];
  const?: unknown;
  default?: unknown;
  examples?: unknown[];
  format?: string;
  pattern?: string;
  minimum?: number;
  maximum?: number;
  exclusiveMinimum?: number;
  minLength?: number;
  maxLength?: number;
  minItems?: number;
  maxItems?: number;
  description?: string;
}

export interface Parameter {
  in: string;
  name: string;
  required?: boolean;
  description?: string;
  schema: Schema;
}

export interface Example {
  summary?: string;
  value: unknown;
}

export interface Content {
  /** The media type. */
  type: string;
  schema: Schema;
  examples: Example[];
}

export interface AnswerHeader {
  name: string;
  required: boolean;
  description: string;
}

export interface Answer {
  status: number;
  description: string;
  headers: AnswerHeader[];
  content: Content[];
}

export interface Operation {
  id: string;
  /** Upper case. */
  method: string;
  path: string;
  summary: string;
  description: string;
  /** Alternatives, each the names of the security schemes that are needed together. Empty for a public operation. */
  ways: string[][];
  parameters: Parameter[];
  body: Content[];
  answers: Answer[];
}

export interface Chapter {
  name: string;
  description: string;
  /** Empty in a chapter about requests that Audit1 sends. */
  operations: Operation[];
  /** Requests that Audit1 sends; the path of each is its event type. */
  deliveries: Operation[];
}

export interface SecurityScheme {
  type: string;
  /** The name of the header; undefined for a bearer token. */
  name?: string;
  bearerFormat?: string;
  description: string;
}

export interface Contract {
  title: string;
  version: string;
  description: string;
  servers: { url: string; description: string }[];
  chapters: Chapter[];
  schemas: Record<string, Schema>;
  headers: AnswerHeader[];
  securitySchemes: Record<string, SecurityScheme>;
}

interface DocumentContent {
  schema: Schema;
  example?: unknown;
  examples?: Record<string, Example>;
}

interface DocumentHeader {
  $ref?: string;
  required?: boolean;
  description?: string;
  schema?: Schema;
}

interface DocumentOperation {
  operationId: string;
  tags: string[];
  summary: string;
  description: string;
  security: Record<string, string[]>[];
  parameters?: Parameter[];
  requestBody?: { content: Record<string, DocumentContent> };
  responses: Record<
    string,
    {
      description: string;
      headers?: Record<string, DocumentHeader>;
      content?: Record<string, DocumentContent>;
    }
  >;
}

type Paths = Record<string, Record<string, DocumentOperation>>;

interface Document {
  info: { title: string; version: string; description: string };
  servers: { url: string; description: string }[];
  tags: { name: string; description: string }[];
  paths: Paths;
  webhooks: Paths;
  components: {
    schemas: Record<string, Schema>;
    headers: Record<string, DocumentHeader>;
    securitySchemes: Record<string, SecurityScheme>;
  };
}

/** `text` is what `/openapi.json` serves. */
export function readContract(text: string): Contract {
  const { info, servers, tags, paths, webhooks, components }: Document = JSON.parse(text);
  const inChapter = (all: Paths, chapter: string) =>
    Object.entries(all).flatMap(([path, methods]) =>
      Object.entries(methods)
        .filter(([, operation]) => operation.tags.includes(chapter))
        .map(([method, operation]) => readOperation(method, path, operation, components.headers)),
    );
  const chapters = tags.map(({ name, description }) => ({
    name,
    description,
    operations: inChapter(paths, name),
    deliveries: inChapter(webhooks, name),
  }));
  const { schemas, securitySchemes } = components;
  return { ...info, servers, chapters, headers: headersOf(chapters), schemas, securitySchemes };
}

/** Every response header, once. */
function headersOf(chapters: readonly Chapter[]): AnswerHeader[] {
  const headers = chapters.flatMap(({ operations }) =>
    operations.flatMap(({ answers }) => answers.flatMap((answer) => answer.headers)),
  );
  return [...new Map(headers.map((header) => [header.name, header])).values()];
}

function readOperation(
  method: string,
  path: string,
  operation: DocumentOperation,
  headers: Record<string, DocumentHeader>,
): Operation {
  return {
    id: operation.operationId,
    method: method.toUpperCase(),
    path,
    summary: operation.summary,
    description: operation.description,
    ways: operation.security.map((way) => Object.keys(way)),
    parameters: operation.parameters ?? [],
    body: readContent(operation.requestBody?.content),
    answers: Object.entries(operation.responses).map(([status, answer]) => ({
      status: Number(status),
      description: answer.description,
      headers: Object.entries(answer.headers ?? {}).map(([name, header]) =>
        readHeader(name, header, headers),
      ),
      content: readContent(answer.content),
    })),
  };
}

function readContent(content: Record<string, DocumentContent> = {}): Content[] {
  return Object.entries(content).map(([type, { schema, example, examples }]) => ({
    type,
    schema,
    examples:
      examples !== undefined ? Object.values(examples) : example !== undefined ? [{ value: example }] : [],
  }));
}

function readHeader(
  name: string,
  header: DocumentHeader,
  shared: Record<string, DocumentHeader>,
): AnswerHeader {
  const found = header.$ref === undefined ? header : shared[nameOf(header.$ref)];
  return {
    name,
    required: found?.required ?? false,
    description: found?.description ?? found?.schema?.description ?? "",
  };
}

/** The name of the component that a reference points to. */
export function nameOf(reference: string): string {
  return reference.slice(reference.lastIndexOf("/") + 1);
}
