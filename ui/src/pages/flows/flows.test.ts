import { describe, expect, it, vi } from "vitest";

vi.hoisted(() => {
  Object.assign(globalThis, {
    document: { baseURI: "http://host/" },
    sessionStorage: { getItem: () => null },
    addEventListener: () => {},
  });
});

import { rowsOf } from "../../api/block";
import { Fields } from "../../api/hooks";
import { EventSplitter } from "../../api/tail";
import type { Block, Field, Value } from "../../api/types";
import { choosesReports, columnsFrom, moved, widthOf } from "./columns";
import { cliCommand, curlCommand } from "./commands";
import { failuresIn } from "./details";
import { newestFirst } from "./live";

const field = (name: string, shown: boolean, kind = "name") => ({ name, shown, kind }) as Field;
const fields = new Fields([
  field("end", true, "time"),
  field("src.name", true),
  field("proto", true, "proto"),
  field("nat", false, "enum"),
  field("tcp.connect", false, "enum"),
  field("drop_reason", false),
]);

function block(columns: Record<string, Value[]>): Block {
  const list = Object.entries(columns).map(([field, values]) => ({
    field,
    kind: "",
    unit: "",
    estimated: false,
    values,
  }));
  return { columns: list, rows: list[0].values.length, truncated: false, losses: {} };
}

describe("columns", () => {
  it("are those that the server shows, the path for the names", () => {
    expect(columnsFrom(null, fields)).toEqual(["end", "connection", "proto"]);
    expect(columnsFrom("gone,also.gone", fields)).toEqual(["end", "connection", "proto"]);
  });
  it("come from the URL, once each", () => {
    expect(columnsFrom("nat,src.name,nat,gone", fields)).toEqual(["nat", "src.name"]);
  });
  it("are joined by what the filter is about, unless they were chosen", () => {
    const filter = 'tcp.connect == "refused" && (drop_reason.contains("NO") || src.name == "drop_reason")';
    expect(columnsFrom(null, fields, filter)).toEqual(["end", "connection", "tcp.connect", "drop_reason", "proto"]);
    expect(columnsFrom("nat", fields, filter)).toEqual(["nat"]);
  });
  it("move", () => {
    expect(moved(["a", "b", "c"], "c", 0)).toEqual(["c", "a", "b"]);
    expect(moved(["a", "b", "c"], "a", 9)).toEqual(["b", "c", "a"]);
  });
  it("are as wide as they were made", () => {
    expect(widthOf("proto", fields.get("proto"), { proto: 33 })).toBe(33);
    expect(widthOf("proto", fields.get("proto"), {})).toBeGreaterThan(60);
  });
});

describe("choosesReports", () => {
  it("is true of a filter on the report, not on the node of an end or a text", () => {
    expect(choosesReports('node == "a"')).toBe(true);
    expect(choosesReports("!primary")).toBe(true);
    expect(choosesReports('src.node == "a" && src.name == "primary"')).toBe(false);
  });
});

describe("newestFirst", () => {
  it("orders rows of several nodes by time, whatever their digits", () => {
    const ends = ["2026-01-01T10:00:00.1Z", "2026-01-01T10:00:01Z", "2026-01-01T10:00:00Z"];
    const rows = newestFirst(rowsOf(block({ end: ends })));
    expect(rows.map((r) => r.text("end"))).toEqual([ends[1], ends[0], ends[2]]);
  });
});

describe("failuresIn", () => {
  it("names only what went wrong", () => {
    const [refused, fine] = rowsOf(block({ "tcp.connect": ["refused", "ok"], drop_reason: ["NO_SOCKET", ""] }));
    expect(failuresIn(refused, fields).map((f) => f.name)).toEqual(["tcp.connect", "drop_reason"]);
    expect(failuresIn(fine, fields)).toEqual([]);
  });
});

describe("commands", () => {
  it("quote for the shell", () => {
    expect(cliCommand({ last: "1h" }, `src.name == "it's"`, 100, "http://127.0.0.1:8080")).toBe(
      `seine flows 'src.name == "it'\\''s"' --since 1h --limit 100`,
    );
    expect(cliCommand({ from: 0, to: 1000 }, "", 5, "https://s/x")).toBe(
      "seine flows --since 1970-01-01T00:00:00.000Z --until 1970-01-01T00:00:01.000Z --limit 5 --api 'https://s/x'",
    );
    expect(curlCommand({ last: "1h" }, "http://h", true)).toBe(
      `curl -s 'http://h/api/v1/query' -H "Authorization: Bearer $SEINE_TOKEN" -d '{"last":"1h"}'`,
    );
  });
});

describe("EventSplitter", () => {
  it("joins pieces and leaves comments out", () => {
    const s = new EventSplitter();
    expect(s.push(": following\n\nevent: rows\nda")).toEqual([]);
    expect(s.push('ta: {"rows":1}\n\nevent: lost\ndata: {"rows":3}\n\nevent')).toEqual([
      { event: "rows", data: '{"rows":1}' },
      { event: "lost", data: '{"rows":3}' },
    ]);
  });
});
