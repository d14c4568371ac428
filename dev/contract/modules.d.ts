/** Types for the used parts of this folder's own packages, so types can be checked without installing them. */
declare module "@redocly/openapi-core" {
  interface Problem {
    ruleId: string;
    severity: "error" | "warn";
    message: string;
    location: { pointer?: string }[];
  }
  export function createConfig(config: { extends: string[] }): Promise<object>;
  export function lintFromString(options: {
    source: string;
    absoluteRef: string;
    config: object;
  }): Promise<Problem[]>;
}
declare module "openapi-to-postmanv2" {
  interface Converted {
    result: boolean;
    reason?: string;
    output?: { data: unknown }[];
  }
  const converter: {
    convertV2(
      input: { type: "string"; data: string },
      options: Record<string, string>,
      done: (error: Error | null, converted?: Converted) => void,
    ): void;
  };
  export default converter;
}
