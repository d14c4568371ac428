import { describe, expect, it } from "vitest";
import { type ConnectionSecrets, ending, settled } from "../../../src/db/connection-secrets.ts";

const DAY = 86_400_000;
const NOW = 1_772_323_200_000;

const secret = (id: string, expires_at: number | null) => ({
  id,
  sealed: `sealed ${id}`,
  created_at: 1,
  expires_at,
});
const endedSecret = (id: string, ended_at: number) => ({
  id,
  sealed: `sealed ${id}`,
  created_at: 1,
  ended_at,
});
const idsOf = ({ secrets, ended_secrets }: ConnectionSecrets) => [
  secrets.map(({ id }) => id),
  ended_secrets.map(({ id }) => id),
];

describe("settled", () => {
  it("moves what has ended out of what is in force, with its time and as it is sealed", () => {
    const read = { secrets: [secret("a", null), secret("b", NOW + 1), secret("c", NOW)], ended_secrets: [] };
    expect(settled(read, NOW)).toEqual({
      secrets: [secret("a", null), secret("b", NOW + 1)],
      ended_secrets: [endedSecret("c", NOW)],
    });
  });

  it("keeps the last three that have ended", () => {
    const ended_secrets = [endedSecret("d", NOW - 4), endedSecret("e", NOW - 2), endedSecret("f", NOW - 5)];
    const read = { secrets: [secret("a", NOW - 1), secret("b", NOW - 3), secret("c", null)], ended_secrets };
    expect(idsOf(settled(read, NOW))).toEqual([["c"], ["a", "e", "b"]]);
  });

  it("keeps none for longer than 30 days, whichever list it is in", () => {
    const old = NOW - 30 * DAY;
    const read = {
      secrets: [secret("a", old), secret("b", old + 1), secret("c", null)],
      ended_secrets: [endedSecret("d", old), endedSecret("e", old + 2)],
    };
    expect(idsOf(settled(read, NOW))).toEqual([["c"], ["e", "b"]]);
  });

  it("changes nothing the second time", () => {
    const read = {
      secrets: [secret("a", NOW - 1), secret("b", null)],
      ended_secrets: [endedSecret("c", NOW - 2)],
    };
    const once = settled(read, NOW);
    expect(settled(once, NOW)).toEqual(once);
  });
});

describe("ending", () => {
  it("ends the secrets after the overlap, none later than it already does", () => {
    const read = {
      secrets: [secret("a", null), secret("b", NOW + 5), secret("c", NOW + 20)],
      ended_secrets: [],
    };
    expect(ending(read, 10, NOW)).toEqual({
      secrets: [secret("a", NOW + 10), secret("b", NOW + 5), secret("c", NOW + 10)],
      ended_secrets: [],
    });
  });

  it("without an overlap, ends all at once", () => {
    const read = {
      secrets: [secret("a", null), secret("b", NOW + 5)],
      ended_secrets: [endedSecret("c", NOW - 1)],
    };
    expect(idsOf(ending(read, 0, NOW))).toEqual([[], ["a", "b", "c"]]);
  });
});
