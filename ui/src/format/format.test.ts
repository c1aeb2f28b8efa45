import { describe, expect, it } from "vitest";
import {
  formatAgo,
  formatBytes,
  formatChange,
  formatCount,
  formatMicroseconds,
  formatNumber,
  formatShare,
  formatTime,
  formatValue,
} from "./format";

describe("units", () => {
  it.each([
    [0, "0 B"],
    [1023, "1023 B"],
    [1024, "1.0 KiB"],
    [1048524, "1023.9 KiB"],
    [1048576, "1.0 MiB"],
    [5e12, "4.5 TiB"],
  ])("bytes %d", (n, want) => expect(formatBytes(n)).toBe(want));
  it.each([
    [0, "0"],
    [0.256, "0.26"],
    [999, "999"],
    [1000, "1k"],
    [1234, "1.2k"],
    [123456, "123k"],
    [999_999, "1M"],
    [1.5e6, "1.5M"],
    [2e12, "2T"],
  ])("counts %d", (n, want) => expect(formatCount(n)).toBe(want));
  it.each([
    [0, "0 µs"],
    [850, "850 µs"],
    [1200, "1.2 ms"],
    [400_000, "400 ms"],
    [1_500_000, "1.5 s"],
    [90e6, "1.5 min"],
    [7200e6, "2 h"],
    [172800e6, "2 d"],
  ])("microseconds %d", (n, want) => expect(formatMicroseconds(n)).toBe(want));
  it("shares never round a gap away", () => {
    expect(formatShare(1)).toBe("100 %");
    expect(formatShare(0.99999)).toBe("99.999 %");
    expect(formatShare(0.9999999)).toBe("99.999 %");
    expect(formatShare(0.05)).toBe("5.00 %");
    expect(formatShare(Number.NaN)).toBe("–");
  });
  it("follow the field", () => {
    expect(formatNumber(1500, { kind: "duration", unit: "microseconds" })).toBe("1.5 ms");
    expect(formatNumber(2_500_000_000_000, { kind: "money", unit: "pUSD" })).toBe("$2.50");
    expect(formatNumber(854_550, { kind: "money", unit: "pUSD" })).toBe("0.85 µ$");
    expect(formatNumber(443, { kind: "port", unit: "" })).toBe("443");
    expect(formatValue(12345, { kind: "count", unit: "packets" })).toBe("12 345");
    expect(formatValue(["SYN", "ACK"], { kind: "flags", unit: "" })).toBe("SYN|ACK");
    expect(formatValue(null, { kind: "bytes", unit: "bytes" })).toBe("");
    expect(formatValue(true, { kind: "bool", unit: "" })).toBe("yes");
  });
});

describe("changes and times", () => {
  it.each([
    [0, 0, "unchanged"],
    [5, 0, "new"],
    [100, 100, "unchanged"],
    [112, 100, "+12 %"],
    [50, 100, "−50 %"],
    [450, 100, "× 4.5"],
    [0, 10, "−100 %"],
  ])("%d after %d", (now, before, want) => expect(formatChange(now, before)).toBe(want));
  it("has the day where it is another", () => {
    const noon = new Date(2026, 2, 1, 12, 0, 4, 5);
    expect(formatTime(noon.toISOString(), noon.getTime())).toBe("12:00:04.005");
    expect(formatTime(noon.toISOString(), noon.getTime() + 864e5)).toBe("1 Mar 12:00:04.005");
    expect(formatTime("garbage")).toBe("garbage");
  });
  it("tells how long ago", () => {
    expect(formatAgo(0, 90_000)).toBe("1.5 min ago");
    expect(formatAgo(5, 0)).toBe("now");
  });
});
