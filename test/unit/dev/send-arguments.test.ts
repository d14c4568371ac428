import { describe, expect, it, vi } from "vitest";
import type { Demo } from "../../../dev/demo.ts";
import { Problem } from "../../../dev/problem.ts";
import { parseSendArguments } from "../../../dev/send-arguments.ts";

const demo: Demo = {
  base_url: "http://127.0.0.1:8787",
  connection_id: "a".repeat(24),
  secret: "whsec_demo",
  api_key: "audit1_live_sk_x",
  employer_id: "demo-employer",
  employer_fein: "12-3456789",
  portal_client_id: "audit1-portal",
  portal_client_secret: "p",
  owner_client_id: "owner",
  owner_client_secret: "o",
  files_creator_url: "http://127.0.0.1:8788",
  console_url: "http://127.0.0.1:8787/console/sign-in#staff",
  owner_console_url: "http://127.0.0.1:8787/console/sign-in#owner",
};

const parse = (...args: string[]) => parseSendArguments(args, () => demo);

describe("parseSendArguments", () => {
  it("uses the demonstration for everything that is not given", () => {
    expect(parse()).toEqual({
      file: null,
      url: "http://127.0.0.1:8787",
      connection: "a".repeat(24),
      secret: "whsec_demo",
      count: 1,
      concurrency: 1,
      wait: null,
      idempotencyKey: null,
      vary: false,
      retry: false,
    });
  });

  it("does not need the demonstration when all is named", () => {
    const readDemo = vi.fn(() => null);
    const args = ["--connection", "b", "--secret", "s", "--url", "https://example.com/"];
    expect(parseSendArguments(args, readDemo)).toMatchObject({
      connection: "b",
      secret: "s",
      url: "https://example.com",
    });
    expect(readDemo).not.toHaveBeenCalled();
  });

  it("varies the reports of a series, unless they are to be the same", () => {
    expect(parse("--count", "2")?.vary).toBe(true);
    expect(parse("--count", "2", "--same")?.vary).toBe(false);
    expect(parse("--vary")?.vary).toBe(true);
  });

  it("sends no more at a time than there are", () => {
    expect(parse("--count", "5", "--concurrency", "50")?.concurrency).toBe(5);
  });

  it("returns null if help is requested, whatever else is wrong", () => {
    expect(parseSendArguments(["--help"], () => null)).toBeNull();
  });

  it.each([
    ["an unknown option", ["--cuont", "2"], "--cuont"],
    ["a value that is missing", ["--count"], "--count"],
    ["a count of zero", ["--count", "0"], "--count"],
    ["a count in scientific notation", ["--count", "1e3"], "--count"],
    ["a fraction", ["--concurrency", "1.5"], "--concurrency"],
    ["a wait longer than the gateway's", ["--wait", "31"], "--wait"],
    ["a connection without its secret", ["--connection", "b"], "--secret"],
    ["an address that is none", ["--url", "localhost:8787"], "--url"],
    ["a key the gateway would refuse", ["--idempotency-key", "ü"], "--idempotency-key"],
    ["two wishes that exclude each other", ["--vary", "--same"], "--same"],
    ["a report without its option", ["report.json"], "report.json"],
  ])("refuses %s with exit code 2", (_, args, mentioned) => {
    expect(() => parse(...args)).toThrow(
      expect.objectContaining({ exitCode: 2, message: expect.stringContaining(mentioned) }),
    );
  });

  it("says what to do when there is no demonstration", () => {
    expect(() => parseSendArguments([], () => null)).toThrow(Problem);
    expect(() => parseSendArguments([], () => null)).toThrow("npm start");
  });
});
