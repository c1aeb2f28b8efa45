// Periods: how they are written in the URL, and which step suits them.

/** A period as the URL has it: the last so long, or between two moments (milliseconds). */
export type Period = { last: string } | { from: number; to: number };

export interface Window {
  from: number;
  to: number;
}

/** The period where the URL names none. */
export const usual = "15m";

export const presets: { last: string; label: string }[] = [
  { last: "5m", label: "5 minutes" },
  { last: "15m", label: "15 minutes" },
  { last: "30m", label: "30 minutes" },
  { last: "1h", label: "1 hour" },
  { last: "3h", label: "3 hours" },
  { last: "6h", label: "6 hours" },
  { last: "12h", label: "12 hours" },
  { last: "1d", label: "1 day" },
  { last: "2d", label: "2 days" },
  { last: "1w", label: "1 week" },
  { last: "2w", label: "2 weeks" },
];

export const refreshes = ["off", "5s", "10s", "30s", "1m", "5m"];

/** How often a page asks anew: as the URL says; else often, but for the page of rows, which are being read. */
export function refreshOf(params: URLSearchParams, page: string): string {
  const given = params.get("refresh") ?? "";
  if (refreshes.includes(given)) return given;
  return page === "flows" || params.has("from") ? "off" : "10s";
}

const units: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 };

/** Reads 90s, 10m, 1h30m, 7d or 2w as milliseconds; undefined if it is none. */
export function parseDuration(text: string): number | undefined {
  if (!/^(\d+(ms|s|m|h|d|w))+$/.test(text)) return undefined;
  let sum = 0;
  for (const [, n, unit] of text.matchAll(/(\d+)(ms|s|m|h|d|w)/g)) sum += Number(n) * units[unit];
  return sum > 0 ? sum : undefined;
}

/** Writes whole seconds as Go reads them: 1h30m, 90s. */
export function formatDuration(ms: number): string {
  const seconds = Math.max(1, Math.round(ms / 1000));
  for (const [unit, size] of [
    ["h", 3600],
    ["m", 60],
  ] as const) {
    if (seconds % size === 0) return `${seconds / size}${unit}`;
  }
  return `${seconds}s`;
}

export function windowOf(period: Period, now: number): Window {
  if ("last" in period) return { from: now - (parseDuration(period.last) ?? units.h), to: now };
  return { from: period.from, to: period.to };
}

/** The seconds of a period that records can be of: recording may have begun within it. */
export function recordedSeconds(w: Window, oldest: number): number {
  const from = oldest > w.from && oldest < w.to ? oldest : w.from;
  return Math.max(1, (w.to - from) / 1000);
}

const steps = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21_600, 43_200, 86_400];

/** A round step (milliseconds) that gives at most so many buckets. */
export function stepOf(w: Window, most = 90): number {
  const seconds = (w.to - w.from) / 1000 / most;
  return (steps.find((s) => s >= seconds) ?? Math.ceil(seconds / 86_400) * 86_400) * 1000;
}

/** How much earlier the period before is: its length, as a multiple of the step. */
export function compareOf(w: Window, step = 1000): string {
  return formatDuration(Math.ceil((w.to - w.from) / step) * step);
}

export function periodFrom(p: URLSearchParams): Period {
  const from = Date.parse(p.get("from") ?? "");
  const to = Date.parse(p.get("to") ?? "");
  if (from < to) return { from, to };
  const last = p.get("last") ?? "";
  return { last: parseDuration(last) ? last : usual };
}

export function periodParams(period: Period): Record<string, string | null> {
  if ("last" in period) return { last: period.last === usual ? null : period.last, from: null, to: null };
  return { last: null, from: new Date(period.from).toISOString(), to: new Date(period.to).toISOString() };
}

export function periodLabel(period: Period): string {
  if ("last" in period) {
    return `Last ${presets.find((p) => p.last === period.last)?.label ?? period.last}`;
  }
  const sameDay = new Date(period.from).toDateString() === new Date(period.to).toDateString();
  const day = (t: number) => new Date(t).toLocaleDateString(undefined, { month: "short", day: "numeric" });
  const time = (t: number) => new Date(t).toLocaleTimeString(undefined, { hourCycle: "h23" });
  return sameDay
    ? `${day(period.from)}, ${time(period.from)} – ${time(period.to)}`
    : `${day(period.from)} ${time(period.from)} – ${day(period.to)} ${time(period.to)}`;
}
