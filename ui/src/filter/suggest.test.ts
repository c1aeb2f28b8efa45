import { describe, expect, it, vi } from "vitest";

vi.hoisted(() => {
  Object.assign(globalThis, {
    document: { baseURI: "http://host/" },
    sessionStorage: { getItem: () => null },
    addEventListener: () => {},
  });
});

import { Fields } from "../api/hooks";
import type { Field } from "../api/types";
import { conditionOf, enter, findAnywhere, stageOf, suggestFields, wordOf } from "./suggest";

const field = (name: string, kind: string, more: Partial<Field> = {}): Field => ({
  id: 1,
  name,
  group: "",
  kind,
  unit: "",
  doc: "",
  example: "",
  origin: "",
  role: "key",
  cardinality: "low",
  shown: false,
  group_by: true,
  measures: [],
  ...more,
});
const fields = new Fields([
  field("src.name", "name"),
  field("src.workload.name", "name"),
  field("dst.port", "port"),
  field("backend.port", "port"),
  field("src.port", "port"),
  field("src.addr", "addr"),
  field("total.bytes", "bytes", { group_by: false, role: "measure" }),
  field("primary", "bool", { doc: "counts once" }),
]);

describe("suggestions", () => {
  it("rank names before words in the middle and meanings", () => {
    expect(suggestFields(fields, "port").map((s) => s.label)).toEqual(["dst.port", "backend.port", "src.port"]);
    expect(suggestFields(fields, "src.w").map((s) => s.label)).toEqual(["src.workload.name"]);
    expect(suggestFields(fields, "once").map((s) => s.label)).toEqual(["primary"]);
    expect(suggestFields(fields, "nothing")).toEqual([]);
  });
  it("know where somebody is", () => {
    expect(stageOf("src.na", fields)).toMatchObject({ at: "field", word: "src.na" });
    expect(stageOf("src.name ", fields)).toMatchObject({ at: "value", op: "==", prefix: "" });
    expect(stageOf('src.name != "fro', fields)).toMatchObject({ at: "value", op: "!=", prefix: "fro" });
    expect(stageOf("src.addr in net 10.", fields)).toMatchObject({ at: "value", op: "cidr", prefix: "10." });
    expect(stageOf("other ", fields)).toMatchObject({ at: "field" });
  });
});

describe("enter", () => {
  it.each([
    ["dst.port 443", "dst.port == 443"],
    ["total.bytes > 1MiB", "total.bytes > 1048576"],
    ["src.name fro", 'src.name == "fro"'],
    ["src.name contains fro", 'src.name.contains("fro")'],
    ["src.addr in net 10.0.0.0/8", 'cidr("10.0.0.0/8").containsIP(src.addr)'],
    ["primary", "primary"],
    ['src.name == "a" || dst.port == 1', 'src.name == "a" || dst.port == 1'],
    ["checkout", 'src.name.contains("checkout") || src.workload.name.contains("checkout")'],
    ["10.0.0.7", 'src.addr == "10.0.0.7"'],
    ["443", "dst.port == 443 || backend.port == 443"],
    ["dst.prt == 3", "dst.prt == 3"],
    ["  ", ""],
  ])("%s", (text, want) => expect(enter(text, fields)).toBe(want));
  it("makes a bare word one condition, which is known again by its word", () => {
    for (const word of ["checkout", "443"]) {
      expect(wordOf(enter(word, fields), fields)).toBe(word);
      expect(wordOf(`(${enter(word, fields)})`, fields)).toBe(word);
    }
    expect(wordOf('src.name.contains("a") || dst.port == 1', fields)).toBe("");
    expect(wordOf('src.name == "a"', fields)).toBe("");
  });
  it("keeps numbers that are none for the server to explain", () => {
    const stage = stageOf("dst.port http", fields);
    expect(stage.at === "value" && conditionOf(stage, "http")).toBe("dst.port == http");
    expect(findAnywhere(new Fields([]), "x")).toBe("");
  });
});
