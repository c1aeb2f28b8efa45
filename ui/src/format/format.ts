// Values as people read them, by a field's kind and unit.

import { textOf } from "../api/block";
import type { Value } from "../api/types";

export interface Measured {
  kind: string;
  unit: string;
}

const bytePrefixes = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];

/** IEC units, as on the command line. */
export function formatBytes(n: number): string {
  const size = Math.abs(n);
  if (size < 1024) return `${trim(n, Number.isInteger(n) ? 0 : 1)} B`;
  let unit = -1;
  let value = n;
  do {
    value /= 1024;
    unit++;
  } while (Math.abs(value) >= 1023.95 && unit < bytePrefixes.length - 1);
  return `${value.toFixed(1)} ${bytePrefixes[unit]}`;
}

/** Three significant digits: 950, 1.2k, 34.5M. */
export function formatCount(n: number): string {
  const size = Math.abs(n);
  if (size < 1000) return trim(n, Number.isInteger(n) ? 0 : size < 10 ? 2 : 1);
  for (const [limit, unit] of [
    [1e6, "k"],
    [1e9, "M"],
    [1e12, "G"],
  ] as const) {
    if (size < limit * 0.9995) return trim(n / (limit / 1000), size < limit / 10 ? 1 : 0) + unit;
  }
  return `${trim(n / 1e12, 1)}T`;
}

/** All digits, in groups. */
export function formatWhole(n: number): string {
  return n.toLocaleString("en-US", { maximumFractionDigits: 2 }).replaceAll(",", " ");
}

/** So many of a thing: "1 packet", "2 packets". */
export function counted(n: number, thing: string): string {
  return `${formatWhole(n)} ${thing}${n === 1 ? "" : "s"}`;
}

const microseconds: Record<string, number> = { nanoseconds: 1e-3, microseconds: 1, milliseconds: 1e3, seconds: 1e6 };

/** A length of time, given in microseconds. */
export function formatMicroseconds(us: number): string {
  const size = Math.abs(us);
  if (size < 1000) return `${trim(us, size < 10 && !Number.isInteger(us) ? 1 : 0)} µs`;
  if (size < 1e6) return `${trim(us / 1e3, size < 1e5 ? 1 : 0)} ms`;
  if (size < 60e6) return `${trim(us / 1e6, size < 1e7 ? 2 : 1)} s`;
  const minutes = us / 60e6;
  return Math.abs(minutes) < 60
    ? `${trim(minutes, 1)} min`
    : Math.abs(minutes) < 1440
      ? `${trim(minutes / 60, 1)} h`
      : `${trim(minutes / 1440, 1)} d`;
}

export function formatShare(ratio: number): string {
  const percent = ratio * 100;
  if (!Number.isFinite(percent)) return "–";
  if (percent === 0 || percent === 100) return `${percent} %`;
  if (percent > 99.9 && percent < 100) return `${(Math.floor(percent * 1000) / 1000).toFixed(3)} %`;
  return `${percent.toFixed(Math.abs(percent) < 10 ? 2 : 1)} %`;
}

function trim(n: number, decimals: number): string {
  return n
    .toFixed(decimals)
    .replace(/(\.\d*?)0+$/, "$1")
    .replace(/\.$/, "");
}

/** Shares, money and other units that a server may have. */
const unitFormats: Record<string, (n: number) => string> = {
  "bytes/s": (n) => `${formatBytes(n)}/s`,
  bytes: formatBytes,
  ratio: formatShare,
  share: formatShare,
  percent: (n) => formatShare(n / 100),
  USD: formatMoney,
  pUSD: (n) => formatMoney(n / 1e12),
  microusd: (n) => formatMoney(n / 1e6),
};

export function formatMoney(n: number): string {
  const size = Math.abs(n);
  if (size === 0) return "$0";
  if (size < 0.01) return size >= 1e-4 ? `${trim(n * 100, 3)} ¢` : `${trim(n * 1e6, size >= 1e-5 ? 0 : 2)} µ$`;
  return n.toLocaleString("en-US", { style: "currency", currency: "USD" });
}

export function formatNumber(n: number, as: Measured): string {
  if (as.kind === "bytes" && as.unit !== "bytes/s") return formatBytes(n);
  if (as.unit in microseconds) return formatMicroseconds(n * microseconds[as.unit]);
  if (as.unit in unitFormats) return unitFormats[as.unit](n);
  if (as.kind === "port" || as.kind === "id") return String(n);
  return formatCount(n);
}

/** What a cell of a table shows. */
export function formatValue(value: Value | undefined, as: Measured): string {
  if (value === null || value === undefined || value === "") return "";
  if (as.kind === "time") return formatTime(String(value));
  if (typeof value === "number")
    return as.kind === "count" && Math.abs(value) < 1e6 && !/seconds$|USD|\/s$/.test(as.unit)
      ? formatWhole(value)
      : formatNumber(value, as);
  if (typeof value === "boolean") return value ? "yes" : "no";
  return textOf(value);
}

/** A time of day with milliseconds; the day is there if it is not today. */
export function formatTime(text: string, now = Date.now()): string {
  const at = new Date(text);
  if (Number.isNaN(at.getTime())) return text;
  const time = `${at.toLocaleTimeString("en-GB", { hourCycle: "h23" })}.${String(at.getMilliseconds()).padStart(3, "0")}`;
  if (at.toDateString() === new Date(now).toDateString()) return time;
  return `${at.toLocaleDateString("en-GB", { day: "numeric", month: "short" })} ${time}`;
}

/** How long ago, in one unit. */
export function formatAgo(at: number, now: number): string {
  return `${formatMicroseconds(Math.max(0, Math.round((now - at) / 1000)) * 1e6)} ago`.replace(/^0 µs ago$/, "now");
}

export function isRight(as: Measured): boolean {
  return ["bytes", "count", "duration", "port", "id"].includes(as.kind);
}

/** "+12 %", or how many times as much; "new" where there was nothing before. */
export function formatChange(now: number, before: number): string {
  if (before === 0) return now === 0 ? "unchanged" : "new";
  const ratio = now / before;
  if (ratio >= 3) return `× ${trim(ratio, ratio < 10 ? 1 : 0)}`;
  const percent = (ratio - 1) * 100;
  if (Math.abs(percent) < 0.5) return "unchanged";
  return `${percent > 0 ? "+" : "−"}${Math.abs(percent).toFixed(0)} %`;
}
