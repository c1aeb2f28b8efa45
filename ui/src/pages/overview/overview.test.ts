import { describe, expect, it, vi } from "vitest";

vi.hoisted(() => {
  Object.assign(globalThis, {
    document: { baseURI: "http://host/" },
    sessionStorage: { getItem: () => null },
    addEventListener: () => {},
  });
});

import type { Block } from "../../api/types";
import { changesOf, type Pair, pairsOf } from "./pairs";

const pair = (id: string, bytes: number, before: number) => ({ id, bytes, before }) as Pair;

describe("changesOf", () => {
  it("ranks what is large and unusual first, and leaves out what is neither", () => {
    const list = [
      pair("steady", 1e9, 0.95e9),
      pair("tiny", 100, 0),
      pair("new", 5e6, 0),
      pair("gone", 0, 9e6),
      pair("grown", 6e6, 3e6),
    ];
    expect(changesOf(list, 9).map((p) => p.id)).toEqual(["gone", "new", "grown"]);
    expect(changesOf(list, 1)).toHaveLength(1);
  });
});

describe("pairsOf", () => {
  it("names ends, and selects the records of a pair", () => {
    const keys = [
      "src.kind",
      "src.workload.name",
      "dst.kind",
      "dst.service",
      "backend.kind",
      "backend.namespace",
      "backend.workload.name",
    ];
    const values = ["External", "", "Service", "shop", "Pod", "eu", "cart", 7, 3];
    const columns = [...keys, "sum(total.bytes)", "previous(sum(total.bytes))"].map((field, i) => ({
      field,
      kind: "",
      unit: "",
      estimated: false,
      values: [values[i]],
    }));
    const [p] = pairsOf({ columns, rows: 1, truncated: false, losses: {} } as Block, keys);
    expect(p).toMatchObject({ client: "outside", service: "shop", backend: "eu/cart", bytes: 7, before: 3 });
    expect(p.filter).toContain('src.kind == "External" && src.workload.name == ""');
  });
});
