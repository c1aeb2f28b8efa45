import { describe, expect, it, vi } from "vitest";

vi.hoisted(() => {
  Object.assign(globalThis, {
    document: { baseURI: "http://host/" },
    sessionStorage: { getItem: () => null },
    addEventListener: () => {},
  });
});

import { Fields } from "../../api/hooks";
import { EventSplitter } from "../../api/tail";
import type { Field } from "../../api/types";
import { columnsFrom, moved, widthOf } from "./columns";
import { cliCommand, curlCommand } from "./commands";

const field = (name: string, shown: boolean, kind = "name") => ({ name, shown, kind }) as Field;
const fields = new Fields([
  field("end", true, "time"),
  field("src.name", true),
  field("proto", true, "proto"),
  field("nat", false, "enum"),
]);

describe("columns", () => {
  it("are those that the server shows, the path for the names", () => {
    expect(columnsFrom(null, fields)).toEqual(["end", "connection", "proto"]);
    expect(columnsFrom("gone,also.gone", fields)).toEqual(["end", "connection", "proto"]);
  });
  it("come from the URL, once each", () => {
    expect(columnsFrom("nat,src.name,nat,gone", fields)).toEqual(["nat", "src.name"]);
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
