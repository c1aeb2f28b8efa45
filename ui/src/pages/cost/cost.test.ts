import { describe, expect, it } from "vitest";
import type { Field } from "../../api/types";
import { heatBuckets, heatOf, usedRows } from "../../chart/heat";
import { sankeyOf } from "./sankey";

describe("sankeyOf", () => {
  const drawn = sankeyOf(
    [
      { from: "a", to: "a", value: 30 },
      { from: "a", to: "b", value: 10 },
      { from: "b", to: "a", value: 20 },
      { from: "b", to: "c", value: 0 },
    ],
    100,
  );
  it("has bars as high as what leaves and arrives", () => {
    expect(drawn.left.map((b) => [b.name, b.value])).toEqual([
      ["a", 40],
      ["b", 20],
    ]);
    expect(drawn.right.map((b) => [b.name, b.value])).toEqual([
      ["a", 50],
      ["b", 10],
    ]);
    expect(drawn.left[1].y + drawn.left[1].h).toBeCloseTo(100);
  });
  it("fills each bar with its ribbons", () => {
    expect(drawn.ribbons).toHaveLength(3);
    const out = drawn.ribbons.filter((r) => r.from === "a").reduce((sum, r) => sum + r.h, 0);
    expect(out).toBeCloseTo(drawn.left[0].h);
    expect(new Set(drawn.ribbons.map((r) => r.y1)).size).toBe(3);
  });
  it("is empty for nothing", () => expect(sankeyOf([], 100).ribbons).toEqual([]));
});

describe("the heat map", () => {
  it("has buckets without gaps, the last one open", () => {
    const buckets = heatBuckets({ name: "tcp.rtt" } as Field);
    for (const [i, b] of buckets.entries()) expect(b.from).toBe(i === 0 ? 0 : buckets[i - 1].below);
    expect(buckets.at(-1)?.measure).toBe("count(tcp.rtt >= 1638400)");
    expect(buckets[1].measure).toBe("count(tcp.rtt >= 50 && tcp.rtt < 100)");
  });
  it("shows the rows that hold something", () => {
    expect(usedRows([[0], [0], [3], [0], [0]])).toEqual([1, 4]);
    expect(usedRows([[0], [0]])).toEqual([0, 0]);
    expect(heatOf(0, 10)).toBe(0);
    expect(heatOf(10, 10)).toBeCloseTo(1);
    expect(heatOf(1, 1000)).toBeGreaterThan(0.14);
  });
});
