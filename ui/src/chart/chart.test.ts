import { describe, expect, it, vi } from "vitest";
import type { Block } from "../api/types";
import { bucketsOf, topLines } from "./buckets";

vi.mock("uplot", () => ({ default: {} }));

const column = (field: string, values: (string | number)[]) => ({
  field,
  kind: "",
  unit: "",
  estimated: false,
  values,
});
const block = (columns: Block["columns"]): Block => ({
  columns,
  rows: columns[0].values.length,
  truncated: false,
  losses: {},
});
const at = (s: number) => new Date(s * 1000).toISOString();

describe("bucketsOf", () => {
  const b = block([
    column("time", [at(10), at(20), at(20)]),
    column("k", ["a", "a", "b"]),
    column("sum(x)", [1, 2, 5]),
  ]);
  it("fills the gaps of sums with 0", () => {
    const { times, lines } = bucketsOf(b, { from: 4000, to: 40_000 }, 10_000, "sum(x)", "k");
    expect(times).toEqual([0, 10, 20, 30]);
    expect(lines).toEqual([
      { label: "a", values: [0, 1, 2, 0] },
      { label: "b", values: [0, 0, 5, 0] },
    ]);
  });
  it("leaves the gaps of quantiles", () => {
    const q = block([column("time", [at(10)]), column("p99(x)", [7])]);
    expect(bucketsOf(q, { from: 0, to: 30_000 }, 10_000, "p99(x)").lines[0].values).toEqual([null, 7, null]);
  });
  it("is empty before there is an answer", () => {
    expect(bucketsOf(undefined, { from: 0, to: 20_000 }, 10_000, "sum(x)")).toEqual({
      times: [0, 10],
      lines: [{ label: "", values: [0, 0] }],
    });
  });
});

describe("topLines", () => {
  it("adds up what is beyond the largest", () => {
    const lines = [1, 5, 3, 2].map((v, i) => ({ label: `l${i}`, values: [v, v] }));
    expect(topLines(lines, 3)).toEqual([
      { label: "l1", values: [5, 5] },
      { label: "l2", values: [3, 3] },
      { label: "others", values: [3, 3] },
    ]);
    expect(topLines(lines, 9)).toHaveLength(4);
  });
});

describe("stack", () => {
  it("adds up from the first to the last, which is behind", async () => {
    vi.stubGlobal("document", { baseURI: "http://host/" });
    vi.stubGlobal("sessionStorage", { getItem: () => null });
    vi.stubGlobal("addEventListener", () => {});
    vi.stubGlobal("matchMedia", () => ({ matches: false, addEventListener: () => {} }));
    const { stack } = await import("./series");
    const made = stack([
      { label: "a", values: [1, null], colour: "" },
      { label: "b", values: [2, 3], colour: "" },
    ]);
    expect(made.map((s) => [s.label, s.values])).toEqual([
      ["b", [3, 3]],
      ["a", [1, 0]],
    ]);
  });
});
