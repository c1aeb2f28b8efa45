import { describe, expect, it } from "vitest";
import { both, notThis, onlyThis, parseFilter, printFilter, swapEnds } from "./cel";

describe("parseFilter and printFilter", () => {
  const same = [
    'src.namespace == "shop"',
    'src.namespace == "shop" && dst.port == 443',
    'dst.port in [80, 443] && nat != "none"',
    "!(dst.port in [80, 443])",
    'src.name.contains("front") && !src.name.startsWith("frontend-")',
    'cidr("10.0.0.0/8").containsIP(src.addr)',
    '!cidr("fd00::/8").containsIP(backend.addr)',
    "known(src.node) && !known(dst.node)",
    "primary && !primary",
    "total.bytes > 1048576 && icmp.type == -1",
    'src.name == "a\\"b\\\\c && d || e"',
    'node.matches("^w.*$")',
  ];
  it.each(same)("keeps %s", (text) => {
    const chips = parseFilter(text);
    expect(chips.every((c) => c.kind === "condition")).toBe(true);
    expect(printFilter(chips)).toBe(text);
  });

  it("unescapes values and escapes them again", () => {
    expect(parseFilter('src.name == "a\\"b"')[0]).toMatchObject({ values: ['a"b'] });
    expect(parseFilter("src.name == 'it'")[0]).toMatchObject({ values: ["it"] });
  });

  const asText = [
    'src.name == "a" || dst.name == "a"',
    "total.bytes > 10 * 1024",
    '!src.name == "a"',
    "timestamp(start) > 4",
    "a ==",
    '"unfinished',
    "(a == 1",
    "a == 1 &&",
    "size @ 3",
    'src.name == "\\q"',
    "a ? b : c",
  ];
  it.each(asText)("leaves %s as it is", (text) => {
    const chips = parseFilter(text);
    expect(chips).toHaveLength(1);
    expect(chips[0]).toEqual({ kind: "text", text });
    expect(printFilter(chips)).toBe(text);
  });

  it("splits at the top only, and keeps the brackets that are needed", () => {
    const chips = parseFilter('(src.name == "a" || dst.name == "a") && proto == "TCP"');
    expect(chips.map((c) => c.kind)).toEqual(["text", "condition"]);
    expect(printFilter(chips)).toBe('(src.name == "a" || dst.name == "a") && proto == "TCP"');
    expect(printFilter([{ kind: "text", text: "a == 1 || b == 2" }, ...parseFilter("c == 3")])).toBe(
      "(a == 1 || b == 2) && c == 3",
    );
    expect(printFilter([{ kind: "text", text: "a == 1 && " }, ...parseFilter("c == 3")])).toBe(
      "(a == 1 && ) && c == 3",
    );
  });

  it("reads equal forms as one", () => {
    expect(printFilter(parseFilter('(src.name == "a")'))).toBe('src.name == "a"');
    expect(printFilter(parseFilter('!(src.name == "a")'))).toBe('src.name != "a"');
    expect(parseFilter("!(a < 3)")[0].kind).toBe("text");
    expect(parseFilter("  ")).toEqual([]);
  });
});

describe("onlyThis and notThis", () => {
  it("replace what was said of the field", () => {
    expect(onlyThis('src.name == "a" && proto == "TCP"', "src.name", "b")).toBe('proto == "TCP" && src.name == "b"');
    expect(onlyThis("", "dst.port", 53)).toBe("dst.port == 53");
  });
  it("gather exclusions", () => {
    const once = notThis("", "dst.port", 53);
    expect(once).toBe("dst.port != 53");
    expect(notThis(once, "dst.port", 80)).toBe("!(dst.port in [53, 80])");
    expect(notThis(once, "dst.port", 53)).toBe("dst.port != 53");
    expect(notThis('src.name == "a"', "src.name", "a")).toBe('src.name != "a"');
  });
  it("guard what else is there", () => {
    expect(onlyThis("a == 1 || b == 2", "c", 3)).toBe("(a == 1 || b == 2) && c == 3");
    expect(both("a == 1 || b == 2", "c == 3 || d == 4")).toBe("(a == 1 || b == 2) && (c == 3 || d == 4)");
    expect(both("", "c == 3")).toBe("c == 3");
  });
});

describe("swapEnds", () => {
  const mirror = (f: string) => ({ "src.name": "dst.name", "dst.name": "src.name", "fwd.bytes": "rev.bytes" })[f];
  it("exchanges fields, not texts", () => {
    expect(swapEnds('src.name == "src.name" && fwd.bytes > 3', mirror)).toBe('dst.name == "src.name" && rev.bytes > 3');
    expect(swapEnds('!src.name.contains("x")', mirror)).toBe('!dst.name.contains("x")');
    expect(swapEnds('"unfinished', mirror)).toBe('"unfinished');
  });
});
