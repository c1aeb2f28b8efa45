import { describe, expect, it, vi } from "vitest";

vi.hoisted(() => {
  Object.assign(globalThis, {
    document: { baseURI: "http://host/seine/map?by=node" },
    sessionStorage: { getItem: () => null },
    addEventListener: () => {},
  });
});

import {
  compareOf,
  formatDuration,
  parseDuration,
  periodFrom,
  periodParams,
  recordedSeconds,
  stepOf,
  windowOf,
} from "./period";
import { carried, changed, hrefOf, pageOf } from "./url";

describe("recordedSeconds", () => {
  it("counts from the first record if that is within the period", () => {
    const w = { from: 0, to: 900_000 };
    expect(recordedSeconds(w, 840_000)).toBe(60);
    expect(recordedSeconds(w, -5)).toBe(900);
    expect(recordedSeconds(w, Number.NaN)).toBe(900);
    expect(recordedSeconds(w, 899_999)).toBe(1);
  });
});

describe("the URL", () => {
  it("works below any path", () => {
    expect(pageOf("/seine/map")).toBe("map");
    expect(pageOf("/seine/")).toBe("");
    expect(hrefOf("flows", new URLSearchParams({ q: 'a == "b"' }))).toBe("/seine/flows?q=a+%3D%3D+%22b%22");
    expect(hrefOf("", new URLSearchParams())).toBe("/seine/");
  });
  it("changes and removes parameters", () => {
    const p = changed(new URLSearchParams("a=1&b=2"), { a: null, b: "3", c: "", d: "4" });
    expect(p.toString()).toBe("b=3&d=4");
  });
  it("takes period and filter along, and nothing else", () => {
    expect(carried(new URLSearchParams("q=x&last=1h&by=node&row=3&refresh=5s")).toString()).toBe(
      "q=x&last=1h&refresh=5s",
    );
  });
});

describe("periods", () => {
  it("come back from the URL as they went", () => {
    for (const period of [{ last: "1h" }, { last: "15m" }, { from: 1000, to: 61_000 }]) {
      expect(periodFrom(changed(new URLSearchParams("last=7d"), periodParams(period)))).toEqual(period);
    }
  });
  it("that make no sense are the default", () => {
    expect(periodFrom(new URLSearchParams("last=soon"))).toEqual({ last: "15m" });
    expect(periodFrom(new URLSearchParams("from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z"))).toEqual({
      last: "15m",
    });
  });
  it.each([
    ["90s", 90_000],
    ["1h30m", 5_400_000],
    ["7d", 604_800_000],
    ["2w", 1_209_600_000],
  ])("reads %s", (text, ms) => {
    expect(parseDuration(text)).toBe(ms);
  });
  it.each(["", "1", "m", "1x", "0s"])("refuses %s", (text) => expect(parseDuration(text)).toBeUndefined());
  it("has steps that divide the comparison", () => {
    for (const last of ["5m", "15m", "1h", "12h", "2d", "2w"]) {
      const w = windowOf({ last }, 1.7e12);
      const step = stepOf(w);
      expect((w.to - w.from) / step).toBeLessThanOrEqual(90);
      expect((parseDuration(compareOf(w, step)) ?? 0) % step).toBe(0);
    }
    expect(formatDuration(5_400_000)).toBe("90m");
    expect(formatDuration(1)).toBe("1s");
  });
});
