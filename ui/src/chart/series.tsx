import { useEffect, useMemo, useRef, useState } from "react";
import UPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { formatNumber, type Measured } from "../format/format";
import { periodParams } from "../state/period";
import { colour, useTheme } from "../state/prefs";
import { useLocation } from "../state/url";

export interface Drawn {
  label: string;
  values: (number | null)[];
  /** A colour of theme.css. */
  colour: string;
  look?: "area" | "line" | "bars" | "dashed";
}

interface Props {
  label: string;
  times: number[];
  /** Seconds of a bucket. */
  step: number;
  series: Drawn[];
  as: Measured;
  height?: number;
  /** Add the values up from the first series to the last. */
  stacked?: boolean;
  quiet?: boolean;
}

/** Adds each series to those before it; the last one is drawn first, behind the others. */
export function stack(series: Drawn[]): Drawn[] {
  const sums: number[] = [];
  return series.map((s) => ({ ...s, values: s.values.map((v, i) => (sums[i] = (sums[i] ?? 0) + (v ?? 0))) })).reverse();
}

/** A time series. Dragging across it makes that its period; the pointer shows the values. */
export function Series({ label, times, step, series, as, height = 140, stacked, quiet }: Props) {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<UPlot | null>(null);
  const { set } = useLocation();
  const [at, setAt] = useState<number | null>(null);
  const theme = useTheme();
  const drawn = useMemo(() => (stacked ? stack(series) : series), [series, stacked]);
  const data = useMemo(() => [times, ...drawn.map((d) => d.values)] as UPlot.AlignedData, [times, drawn]);
  const shape = JSON.stringify([drawn.map((d) => [d.label, d.colour, d.look]), as, height, theme]);
  const brush = useRef((_from: number, _to: number) => {});
  brush.current = (from, to) => set(periodParams({ from: Math.round(from * 1000), to: Math.round(to * 1000) }));

  // biome-ignore lint/correctness/useExhaustiveDependencies: shape stands for what the options are made of
  useEffect(() => {
    const host = box.current;
    if (!host) return;
    const made = new UPlot(
      optionsOf(host.clientWidth, height, drawn, as, quiet ?? false, setAt, (f, t) => brush.current(f, t)),
      data,
      host,
    );
    plot.current = made;
    const resized = new ResizeObserver(() => made.setSize({ width: host.clientWidth, height }));
    resized.observe(host);
    return () => {
      resized.disconnect();
      made.destroy();
      plot.current = null;
    };
  }, [shape]);
  useEffect(() => plot.current?.setData(data), [data]);

  return (
    <figure className="series" aria-label={`${label}. ${describe(series, as)}`} role="img">
      <div ref={box} style={{ height }} />
      {at !== null && times[at] !== undefined && <Reading at={at} times={times} series={series} as={as} step={step} />}
    </figure>
  );
}

function describe(series: Drawn[], as: Measured): string {
  const largest = (s: Drawn) => Math.max(0, ...s.values.map((v) => v ?? 0));
  return series
    .slice(0, 6)
    .map((s) => `${s.label}: at most ${formatNumber(largest(s), as)}`)
    .join("; ");
}

function Reading({
  at,
  times,
  series,
  as,
  step,
}: {
  at: number;
  times: number[];
  series: Drawn[];
  as: Measured;
  step: number;
}) {
  const when = (t: number) => new Date(t * 1000).toLocaleTimeString("en-GB", { hourCycle: "h23" });
  const side = at > times.length / 2 ? { left: 62 } : { right: 8 };
  return (
    <figcaption className="reading" style={side}>
      <div className="quiet">
        {when(times[at])} – {when(times[at] + step)}
      </div>
      {series.map((s) => (
        <div key={s.label} className="line">
          <span className="dot" style={{ color: `var(--${s.colour})` }} />
          <span>{s.label}</span>
          <b>{s.values[at] === null || s.values[at] === undefined ? "–" : formatNumber(s.values[at], as)}</b>
        </div>
      ))}
    </figcaption>
  );
}

function optionsOf(
  width: number,
  height: number,
  drawn: Drawn[],
  as: Measured,
  quiet: boolean,
  onAt: (at: number | null) => void,
  onBrush: (from: number, to: number) => void,
): UPlot.Options {
  const axis = {
    stroke: colour("ink-3"),
    font: "11px Geist, sans-serif",
    ticks: { show: false },
    grid: { stroke: colour("line"), width: 1 },
  };
  return {
    width,
    height,
    legend: { show: false },
    padding: [8, 10, 0, 4],
    cursor: {
      y: false,
      points: { size: 7 },
      drag: { x: true, y: false, setScale: false, dist: 4 },
      bind: {},
    },
    scales: { y: { range: (_u, _min, max) => [0, max > 0 ? max * 1.08 : 1] } },
    axes: [
      {
        ...axis,
        grid: { show: false },
        show: !quiet,
        size: 26,
        gap: 4,
        space: 76,
        values: (_u, ticks) => timeTicks(ticks),
      },
      {
        ...axis,
        show: !quiet,
        size: 62,
        gap: 6,
        space: 34,
        incrs: as.kind === "bytes" ? byteSteps : undefined,
        values: (_u, ticks) => ticks.map((t) => formatNumber(t, as)),
      },
    ],
    series: [{}, ...drawn.map((d) => lineOf(d))],
    hooks: {
      setCursor: [(u) => onAt(u.cursor.left !== undefined && u.cursor.left >= 0 ? (u.cursor.idx ?? null) : null)],
      setSelect: [
        (u) => {
          if (u.select.width < 5) return;
          onBrush(u.posToVal(u.select.left, "x"), u.posToVal(u.select.left + u.select.width, "x"));
          u.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
        },
      ],
    },
  };
}

/** Round numbers of bytes are powers of two, and some between. */
const byteSteps = Array.from({ length: 52 }, (_, i) => [2 ** i]).flat();

function timeTicks(ticks: number[]): string[] {
  const close = ticks.length > 1 && ticks[1] - ticks[0] < 60;
  const days = ticks.length > 1 && ticks[ticks.length - 1] - ticks[0] > 86_400;
  return ticks.map((t) => {
    const d = new Date(t * 1000);
    if (days && d.getHours() === 0) return d.toLocaleDateString("en-GB", { day: "numeric", month: "short" });
    return d.toLocaleTimeString("en-GB", {
      hour: "2-digit",
      minute: "2-digit",
      second: close ? "2-digit" : undefined,
      hourCycle: "h23",
    });
  });
}

function lineOf(d: Drawn): UPlot.Series {
  const stroke = colour(d.colour);
  const bars = d.look === "bars" ? UPlot.paths.bars?.({ size: [0.78, 40], align: 1, radius: 0.15 }) : undefined;
  return {
    label: d.label,
    stroke: d.look === "bars" ? undefined : stroke,
    width: d.look === "bars" ? 0 : 1.5,
    dash: d.look === "dashed" ? [4, 4] : undefined,
    fill:
      d.look === "bars"
        ? `color-mix(in srgb, ${stroke} 75%, transparent)`
        : d.look === "area"
          ? `color-mix(in srgb, ${stroke} 18%, ${colour("surface")})`
          : undefined,
    paths: bars,
    points: { show: false },
  };
}
