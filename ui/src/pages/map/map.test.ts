import { describe, expect, it, vi } from "vitest";

vi.hoisted(() => {
  Object.assign(globalThis, {
    document: { baseURI: "http://host/" },
    sessionStorage: { getItem: () => null },
    addEventListener: () => {},
    matchMedia: () => ({ matches: false, addEventListener: () => {} }),
  });
});

import { Fields } from "../../api/hooks";
import type { Block } from "../../api/types";
import type { Palette } from "./draw";
import { graphOf, neighbours, openedFilter } from "./graph";
import { crossings, layered, rank, settle } from "./layered";
import { isLinkLocal, keysOf, type Level, levelsOf } from "./levels";
import { measuresOf } from "./measures";
import { curveOf, hit, sample, sceneOf } from "./scene";
import { escapeXml, svgOf } from "./svg";

const fields = new Fields([]);
const bytes = measuresOf(fields)
  .concat(measuresOf({ has: () => true, get: () => undefined } as unknown as Fields))
  .find((m) => m.name === "bytes");
if (!bytes) throw new Error("no measure of bytes");
const workload: Level = { name: "workload", label: "", members: ["namespace", "workload.name"], services: true };
const pod: Level = { name: "pod", label: "", members: ["namespace", "name"], services: true };

const names = [
  "src.kind",
  "src.namespace",
  "src.workload.name",
  "src.name",
  "dst.kind",
  "dst.namespace",
  "dst.service",
  "backend.kind",
  "backend.namespace",
  "backend.workload.name",
  "backend.name",
  "sum(total.bytes)",
  "count()",
];
function block(rows: (string | number)[][]): Block {
  return {
    columns: names.map((field, i) => ({ field, kind: "", unit: "", estimated: false, values: rows.map((r) => r[i]) })),
    rows: rows.length,
    truncated: false,
    losses: {},
  };
}
const answer = block([
  ["Pod", "shop", "frontend", "f-1", "Service", "shop", "checkout", "Pod", "shop", "checkout", "c-1", 100, 2],
  ["Pod", "shop", "frontend", "f-2", "Service", "shop", "checkout", "Pod", "shop", "checkout", "c-2", 50, 1],
  ["Pod", "shop", "checkout", "c-1", "Pod", "shop", "db", "Pod", "shop", "db", "db-0", 10, 1],
  ["External", "", "", "", "Service", "shop", "frontend", "Pod", "shop", "frontend", "f-1", 5, 1],
]);
const options = { level: workload, services: true, measure: bytes, folded: new Set<string>() };

describe("isLinkLocal", () => {
  it.each([
    ["fe80::1", true],
    ["ff02::16", true],
    ["169.254.1.1", true],
    ["224.0.0.251", true],
    ["10.0.0.1", false],
    ["2001:db8::fe80", false],
    ["127.0.0.1", false],
  ])("%s", (address, want) => expect(isLinkLocal(address)).toBe(want));
});

describe("graphOf", () => {
  const graph = graphOf([answer], options);
  it("puts Services between clients and backends", () => {
    expect(graph.edges.map((e) => [e.role, e.from, e.to, e.bytes])).toEqual([
      ["answers", "service/shop/checkout", "workload:shop/checkout", 150],
      ["dials", "workload:shop/frontend", "service/shop/checkout", 150],
      ["direct", "workload:shop/checkout", "workload:shop/db", 10],
      ["dials", "External:", "service/shop/frontend", 5],
      ["answers", "service/shop/frontend", "workload:shop/frontend", 5],
    ]);
  });
  it("selects the records behind an edge", () => {
    const edge = graph.edges.find((e) => e.role === "answers");
    expect(edge?.filter).toBe(
      'dst.kind == "Service" && dst.namespace == "shop" && dst.service == "checkout" && backend.namespace == "shop" && backend.workload.name == "checkout"',
    );
    expect(graph.edges.find((e) => e.from === "External:")?.filter).toContain('src.kind == "External"');
    expect(graph.edges.find((e) => e.role === "direct")?.filter).toContain('dst.kind != "Service"');
  });
  it("folds a namespace into one node", () => {
    const folded = graphOf([answer], { ...options, folded: new Set(["shop"]) });
    expect(folded.nodes.map((n) => n.id)).toEqual(["External:", "fold:shop"]);
    expect(folded.edges).toHaveLength(1);
  });
  it("shows an expanded workload as its pods", () => {
    const opened = graphOf([answer], { ...options, opened: { ids: new Set(["shop/checkout"]), level: pod } });
    expect(opened.nodes.map((n) => n.id)).toContain("pod:shop/c-2");
    expect(opened.nodes.map((n) => n.id)).toContain("workload:shop/frontend");
    expect(openedFilter(["shop/it"])).toBe(
      '(src.namespace == "shop" && src.workload.name == "it") || (backend.namespace == "shop" && backend.workload.name == "it")',
    );
  });
  it("shows both sides of a neighbour's Service", () => {
    const near = neighbours(graph, "workload:shop/frontend");
    expect(near.nodes.map((n) => n.id)).toEqual([
      "service/shop/checkout",
      "service/shop/frontend",
      "workload:shop/checkout",
      "workload:shop/frontend",
    ]);
  });
});

describe("levels", () => {
  it("need their fields", () => {
    const some = new Fields(["src.node", "backend.node", "src.zone"].map((name) => ({ name }) as never));
    expect(levelsOf(some).map((l) => l.name)).toEqual(["node"]);
    expect(keysOf(workload, true)).toEqual([
      "src.kind",
      "src.namespace",
      "src.workload.name",
      "dst.kind",
      "dst.namespace",
      "dst.service",
      "backend.kind",
      "backend.namespace",
      "backend.workload.name",
    ]);
  });
});

const box = (id: string) => ({ id, w: 184, h: 42 });
const link = (from: string, to: string) => ({ id: `${from}>${to}`, from, to });

describe("the layered drawing", () => {
  const boxes = ["a", "b", "c", "d", "e"].map(box);
  const links = [link("a", "b"), link("b", "c"), link("a", "c"), link("c", "a"), link("d", "e"), link("e", "e")];
  it("ranks clients left of what they dial, circles or not", () => {
    const r = rank(boxes, links);
    expect([r.get("a"), r.get("b"), r.get("c"), r.get("d"), r.get("e")]).toEqual([0, 1, 2, 0, 1]);
  });
  it("is the same for the same graph, in any order", () => {
    const one = layered(boxes, links);
    const other = layered([...boxes], [...links].reverse());
    expect(other.places).toEqual(one.places);
    expect(one.routes.get("a>c")).toHaveLength(1);
  });
  it("lets no boxes overlap", () => {
    const many = Array.from({ length: 60 }, (_, i) => box(`n${i}`));
    const wires = Array.from({ length: 120 }, (_, i) => link(`n${(i * 7) % 60}`, `n${(i * 13 + 5) % 60}`));
    const places = [...layered(many, wires).places.values()];
    expect(places).toHaveLength(60);
    for (const [i, p] of places.entries()) {
      for (const q of places.slice(i + 1)) expect(Math.abs(p.x - q.x) >= 184 || Math.abs(p.y - q.y) >= 42).toBe(true);
    }
  });
  it("keeps an order that it was given, where nothing speaks against it", () => {
    const star = [link("a", "b"), link("a", "c"), link("a", "d")];
    const was = new Map([
      ["d", { x: 0, y: 0 }],
      ["c", { x: 0, y: 10 }],
      ["b", { x: 0, y: 20 }],
    ]);
    const y = (id: string) => layered(["a", "b", "c", "d"].map(box), star, was).places.get(id)?.y ?? 0;
    expect(y("d")).toBeLessThan(y("c"));
    expect(y("c")).toBeLessThan(y("b"));
  });
  it("counts crossings, and settles on the nearest places", () => {
    const t = [
      { y: 0, after: [] },
      { y: 1, after: [] },
    ];
    expect(
      crossings([
        [
          { y: 0, after: [t[1]] },
          { y: 1, after: [t[0]] },
        ],
        t,
      ]),
    ).toBe(1);
    const layer = [
      { y: 0, h: 40, wire: false },
      { y: 0, h: 40, wire: false },
    ];
    settle(layer, [10, 10]);
    expect(layer.map((l) => l.y)).toEqual([-17, 37]);
  });
  it("draws 150 nodes in little time", () => {
    const many = Array.from({ length: 150 }, (_, i) => box(`n${i}`));
    const wires = Array.from({ length: 400 }, (_, i) => link(`n${(i * 7) % 150}`, `n${(i * 31 + 5) % 150}`));
    expect(layered(many, wires).places.size).toBe(150);
  });
});

describe("the scene", () => {
  const graph = graphOf([answer], options);
  const drawing = layered(
    graph.nodes.map((n) => box(n.id)),
    graph.edges,
  );
  const scene = sceneOf(graph, drawing, bytes, true, new Map());
  it("finds what is under the pointer", () => {
    const n = scene.nodes[0];
    expect(hit(scene, { x: n.x, y: n.y }, 6).node?.id).toBe(n.id);
    const curve = sample(scene.edges[0].curve);
    expect(hit(scene, curve[5], 6).edge?.id).toBe(scene.edges[0].id);
    expect(hit(scene, { x: -9999, y: 0 }, 6)).toEqual({ edge: undefined });
  });
  it("leads curves from side to side", () => {
    const [from, to] = scene.nodes;
    const curve = curveOf(from, to, []);
    expect(curve[0].x).toBe(from.x + from.w / 2);
    expect(curve[3].x).toBe(to.x - to.w / 2 - 5);
    expect(curveOf(from, from, [])).toHaveLength(4);
  });
  it("becomes an SVG in which names do nothing", () => {
    const nasty = { ...scene, nodes: scene.nodes.map((n) => ({ ...n, label: '<script>alert("x")</script>&' })) };
    const text = svgOf(nasty, { tones: [], kinds: {} } as unknown as Palette, { kind: "bytes", unit: "bytes" });
    expect(text).not.toContain("<script>");
    expect(text).toContain("&lt;script&gt;");
    expect(escapeXml("a\u0000'b")).toBe("a&#39;b");
  });
});
