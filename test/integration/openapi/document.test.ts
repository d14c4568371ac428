import { describe, expect, it } from "vitest";
import { app } from "../../../src/app.ts";
import { repeatableOf } from "../../../src/http/repeat-promise.ts";
import { ask, deliveries, document, operations, problemsWith, resolved } from "../../support/contract.ts";
import type { Json } from "../../support/gateway.ts";

/** Parameters have other names in the router; what counts is where they stand. */
const placed = (path: string) => path.replace(/:\w+|\{\w+\}/g, "{}");

const routed = new Set(
  app.routes.filter(({ method }) => method !== "ALL").map(({ method, path }) => `${method} ${placed(path)}`),
);
const described = operations.map(({ method, path }) => `${method} ${placed(path)}`);

describe("the document", () => {
  it("describes every route there is, and none that there is not", () => {
    expect([...described].sort()).toEqual([...routed].sort());
  });

  it("gives every operation an id of its own, a summary, a description and one chapter that it has", () => {
    const all = [...operations, ...deliveries];
    expect(new Set(all.map(({ id }) => id)).size).toBe(all.length);
    const chapters = document.tags.map(({ name }: Json) => name);
    for (const {
      id,
      described: { summary, description, tags },
    } of all) {
      expect([summary, description, id].every(Boolean), id).toBe(true);
      expect(tags, id).toHaveLength(1);
      expect(chapters, id).toContain(tags[0]);
    }
  });

  it("says of every operation who may ask, and what happens on a bug and in an outage", () => {
    for (const {
      id,
      described: { security, responses },
    } of operations) {
      expect(security, id).toBeInstanceOf(Array);
      expect(Object.keys(responses), id).toEqual(expect.arrayContaining(["500", "503"]));
    }
  });

  it("says what happens on a repeat for every operation with an Idempotency-Key, and for no other", () => {
    const repeatable = app.routes
      .filter(({ handler }) => repeatableOf(handler) !== undefined)
      .map(({ method, path }) => `${method} ${placed(path)}`);
    const keyed = operations
      .filter(({ described: { parameters = [] } }) =>
        parameters.some((parameter: Json) => resolved(parameter).name === "Idempotency-Key"),
      )
      .map(({ method, path }) => `${method} ${placed(path)}`);
    expect(keyed).toHaveLength(7);
    expect([...new Set(repeatable)].sort()).toEqual(keyed.sort());
  });

  it("has an example for every body and every answer in JSON", () => {
    for (const {
      id,
      described: { requestBody, responses },
    } of operations) {
      const bodies = [requestBody, ...Object.values(responses as Json)].flatMap(
        (body) => body?.content?.["application/json"] ?? [],
      );
      for (const content of bodies)
        if (id !== "getOpenApiDocument" || content.examples !== undefined)
          expect(content.example ?? content.examples, id).toBeDefined();
    }
  });

  it("has the headers that every answer has in every answer", () => {
    for (const {
      id,
      described: { responses },
    } of operations) {
      for (const [status, { headers }] of Object.entries(responses as Json))
        for (const name of ["X-Request-Id", "X-Audit1-Request-Id"])
          expect(resolved(headers[name]).required, `${id} ${status}`).toBe(true);
    }
  });
});

/** Every example with its schema. */
function* examplesIn(
  value: unknown,
  place = "#",
): Generator<[place: string, example: unknown, schema: Json]> {
  if (typeof value !== "object" || value === null) return;
  const node = value as Json;
  const schema: Json | undefined = node.schema;
  if (schema !== undefined) {
    if ("example" in node) yield [`${place}/example`, node.example, schema];
    for (const [name, example] of Object.entries((node.examples as Json | undefined) ?? {}))
      yield [`${place}/examples/${name}`, (example as Json).value, schema];
  }
  // Of a schema itself: a list.
  if (Array.isArray(node.examples))
    for (const [i, example] of node.examples.entries()) yield [`${place}/examples/${i}`, example, node];
  for (const [name, child] of Object.entries(node))
    if (!["example", "examples"].includes(name)) yield* examplesIn(child, `${place}/${name}`);
}

describe("examples", () => {
  const examples = [...examplesIn(document)];

  it("are many", () => {
    expect(examples.length).toBeGreaterThan(200);
  });

  it("are what their schemas say, each of them", () => {
    const wrong = examples.flatMap(([place, example, schema]) =>
      problemsWith(example, schema).map((problem) => `${place}: ${problem}`),
    );
    expect(wrong).toEqual([]);
  });

  it("would be found out", () => {
    const { schema, example } =
      document.paths["/api/v1/connections"].get.responses[200].content["application/json"];
    expect(problemsWith({ ...example, next_cursor: 5 }, schema)).not.toEqual([]);
    expect(problemsWith({ ...example, more: 1 }, schema)).not.toEqual([]);
    const [connection] = example.connections;
    expect(problemsWith({ ...example, connections: [{ ...connection, id: "x" }] }, schema)).not.toEqual([]);
  });
});

describe("GET /openapi.json", () => {
  it("serves the document", async () => {
    const { status, headers, text } = await ask("/openapi.json");
    expect(status).toBe(200);
    expect(headers.get("Content-Type")).toBe("application/json");
    expect(JSON.parse(text)).toEqual(document);
  });
});
