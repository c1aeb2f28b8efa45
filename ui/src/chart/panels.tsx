// Panels that pages share: quantiles, stacks and heat maps of the page's period.
import { useMemo, useState } from "react";
import { numbersOf, sum } from "../api/block";
import { type Fields, useBlock } from "../api/hooks";
import type { Block, Field } from "../api/types";
import { formatNumber, formatWhole, type Measured } from "../format/format";
import { Panel, Problem, Skeleton } from "../kit/kit";
import { useWindow } from "../state/clock";
import { compareOf, formatDuration, periodParams, stepOf } from "../state/period";
import { useLocation } from "../state/url";
import { bucketsOf, topLines } from "./buckets";
import { heatBuckets, heatOf, usedRows } from "./heat";
import { type Drawn, Series } from "./series";

interface PanelProps {
  title: string;
  dataset?: string;
  fields: Fields;
  className?: string;
}

/** What is shown in place of a chart: an error, a wait, or that nothing was measured. */
function Instead({ error, pending, none }: { error: unknown; pending: boolean; none: string }) {
  if (error) {
    return (
      <div className="pad">
        <Problem error={error} />
      </div>
    );
  }
  return pending ? (
    <div className="pad">
      <Skeleton height={130} />
    </div>
  ) : (
    <p className="quiet pad">{none}</p>
  );
}

const quantiles = [
  { name: "p50", colour: "series-1" },
  { name: "p95", colour: "series-3" },
  { name: "p99", colour: "series-5" },
];

/** Median and tail of a field over time, the tail of the period before dashed. */
export function QuantilePanel({ title, dataset, fields, field: name, className }: PanelProps & { field: string }) {
  const w = useWindow();
  const step = stepOf(w, 80);
  const field = fields.get(name) as Field;
  const measures = quantiles.map((q) => `${q.name}(${name})`);
  const { data, error, isPending } = useBlock({
    dataset,
    measures,
    step: formatDuration(step),
    compare: compareOf(w, step),
    limit: 1000,
  });
  const line = (m: string) => bucketsOf(data, w, step, m);
  const made = line(measures[0]);
  const drawn: Drawn[] = quantiles.map((q, i) => ({
    label: q.name,
    colour: q.colour,
    values: line(measures[i]).lines[0].values,
  }));
  const before = line(`previous(${measures[1]})`).lines[0].values;
  if (before.some((v) => v !== null))
    drawn.push({ label: "p95 before", colour: "series-7", look: "dashed", values: before });
  const any = drawn.some((d) => d.values.some((v) => v !== null));
  return (
    <Panel title={title} sub={field.doc} className={className}>
      {any ? (
        <>
          <Series label={title} times={made.times} step={step / 1000} as={field} height={150} series={drawn} />
          <Legend series={drawn} />
        </>
      ) : (
        <Instead error={error} pending={isPending} none="Not measured in this period." />
      )}
    </Panel>
  );
}

interface LinesProps extends PanelProps {
  sub?: string;
  lines: { label: string; measure: string; colour: string }[];
  as: Measured;
  none: string;
}

/** Some measures over time, beside each other. */
export function LinesPanel({ title, sub, dataset, lines, as, none, className }: LinesProps) {
  const w = useWindow();
  const step = stepOf(w, 80);
  const { data, error, isPending } = useBlock({
    dataset,
    measures: lines.map((l) => l.measure),
    step: formatDuration(step),
    limit: 1000,
  });
  const made = lines.map((l) => bucketsOf(data, w, step, l.measure));
  const drawn: Drawn[] = lines.map((l, i) => ({ label: l.label, colour: l.colour, values: made[i].lines[0].values }));
  return (
    <Panel title={title} sub={sub} className={className}>
      {drawn.some((d) => d.values.some((v) => v)) ? (
        <>
          <Series label={title} times={made[0].times} step={step / 1000} as={as} height={150} series={drawn} />
          <Legend series={drawn} />
        </>
      ) : (
        <Instead error={error} pending={isPending} none={none} />
      )}
    </Panel>
  );
}

export function Legend({ series }: { series: Drawn[] }) {
  return (
    <div className="legend">
      {series.map((s) => (
        <span key={s.label}>
          <span className="dot" style={{ color: `var(--${s.colour})` }} />
          {s.label}
        </span>
      ))}
    </div>
  );
}

interface StackProps extends PanelProps {
  sub?: string;
  measure: string;
  by: string;
  as: Measured;
  none: string;
  filter?: string;
  /** Colours of values that have one of their own. */
  colours?: Record<string, string>;
  hide?: string[];
}

/** A measure over time, divided by the values of a field. */
export function StackPanel({
  title,
  sub,
  dataset,
  measure,
  by,
  as,
  none,
  filter,
  colours = {},
  hide = [],
  className,
}: StackProps) {
  const { params } = useLocation();
  const w = useWindow();
  const step = stepOf(w, 80);
  const own = params.get("q") ?? "";
  const { data, error, isPending } = useBlock(
    { dataset, measures: [measure], group_by: [by], step: formatDuration(step), limit: 10_000 },
    { filter: filter ? (own ? `(${own}) && ${filter}` : filter) : own },
  );
  const made = bucketsOf(data, w, step, measure, by);
  const lines = topLines(
    made.lines.filter((l) => !hide.includes(l.label)),
    7,
  ).filter((l) => l.values.some((v) => v));
  const drawn: Drawn[] = lines.map((l, i) => ({
    label: l.label || "none",
    values: l.values,
    colour: colours[l.label] ?? `series-${(i % 7) + 1}`,
    look: "area",
  }));
  return (
    <Panel title={title} sub={sub} className={className}>
      {drawn.length > 0 ? (
        <>
          <Series label={title} times={made.times} step={step / 1000} as={as} height={150} series={drawn} stacked />
          <Legend series={drawn} />
        </>
      ) : (
        <Instead error={error} pending={isPending} none={none} />
      )}
    </Panel>
  );
}

/** How the values of a length of time are distributed, bucket by bucket; a click filters to the bucket. */
export function HeatPanel({ title, dataset, fields, field: name, className }: PanelProps & { field: string }) {
  const w = useWindow();
  const step = stepOf(w, 60);
  const field = fields.get(name) as Field;
  const buckets = useMemo(() => heatBuckets(field), [field]);
  const { data, error, isPending } = useBlock({
    dataset,
    measures: buckets.map((b) => b.measure),
    step: formatDuration(step),
    limit: 1000,
  });
  const rows = buckets.map((b) => bucketsOf(data, w, step, b.measure));
  const cells = rows.map((r) => r.lines[0].values.map((v) => v ?? 0));
  const [low, high] = usedRows(cells);
  return (
    <Panel title={title} sub="how many took how long; darker is more" className={className}>
      {high > low ? (
        <Heat
          cells={cells.slice(low, high)}
          labels={buckets.slice(low, high).map((b) => formatNumber(b.from, field))}
          times={rows[0].times}
          step={step}
          title={title}
          onPick={buckets
            .slice(low, high)
            .map((b) => `${name} >= ${b.from}${Number.isFinite(b.below) ? ` && ${name} < ${b.below}` : ""}`)}
        />
      ) : (
        <Instead error={error} pending={isPending} none="Not measured in this period." />
      )}
    </Panel>
  );
}

interface HeatProps {
  cells: number[][];
  labels: string[];
  times: number[];
  step: number;
  title: string;
  onPick: string[];
}

function Heat({ cells, labels, times, step, title, onPick }: HeatProps) {
  const { set, params } = useLocation();
  const [at, setAt] = useState<[number, number] | null>(null);
  const most = Math.max(1, ...cells.flat());
  const height = 16;
  const rows = cells.length;
  const clock = (t: number) => new Date(t * 1000).toLocaleTimeString("en-GB", { hourCycle: "h23" });
  const zoom = (r: number, c: number) => {
    const q = params.get("q") ?? "";
    set({
      q: q ? `(${q}) && ${onPick[r]}` : onPick[r],
      ...periodParams({ from: times[c] * 1000, to: times[c] * 1000 + step }),
    });
  };
  return (
    <div className="heat">
      <div className="heat-labels" style={{ gridTemplateRows: `repeat(${rows}, ${height}px)` }}>
        {[...labels].reverse().map((l) => (
          <span key={l}>{l}</span>
        ))}
      </div>
      <svg
        viewBox={`0 0 ${times.length} ${rows}`}
        preserveAspectRatio="none"
        height={rows * height}
        role="img"
        aria-label={`${title}: ${labels.map((l, r) => `from ${l} ${formatWhole(sum(cells[r]))}`).join(", ")}`}
        onMouseLeave={() => setAt(null)}
      >
        {cells.map((row, r) =>
          row.map((v, c) =>
            v > 0 ? (
              <rect
                key={`${r} ${c}`}
                x={c}
                y={rows - 1 - r}
                width={1}
                height={1}
                opacity={heatOf(v, most)}
                onMouseEnter={() => setAt([r, c])}
                onClick={() => zoom(r, c)}
              />
            ) : null,
          ),
        )}
      </svg>
      <div className="heat-times">
        <span>{clock(times[0])}</span>
        <span>{at ? `${formatWhole(cells[at[0]][at[1]])} from ${labels[at[0]]} at ${clock(times[at[1]])}` : ""}</span>
        <span>{clock(times[times.length - 1])}</span>
      </div>
    </div>
  );
}

/** The sum of a column. */
export const totalOf = (block: Block | undefined, column: string) => sum(numbersOf(block, column));
