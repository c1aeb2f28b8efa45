import { CopyCheck, Pause, Play, Radio } from "lucide-react";
import { useEffect, useMemo, useState } from "react";
import { type Row, rowsOf } from "../../api/block";
import { type Fields, useBlock, useFields } from "../../api/hooks";
import type { Request } from "../../api/types";
import { bucketsOf } from "../../chart/buckets";
import { Series } from "../../chart/series";
import { useFilter } from "../../filter/bar";
import { both, notThis, onlyThis } from "../../filter/cel";
import { counted, formatWhole } from "../../format/format";
import { isTyping } from "../../kit/keys";
import { Button, Empty, Problem, Segments, Skeleton, Tip } from "../../kit/kit";
import { NoConnections } from "../../kit/nothing";
import { useWindow } from "../../state/clock";
import { formatDuration, periodParams, stepOf } from "../../state/period";
import { useLocation } from "../../state/url";
import { choosesReports, columnsFrom, keyFields, pathColumn, pathFields } from "./columns";
import { Details, keyOf } from "./details";
import { type Live, liveRows, useLive } from "./live";
import { ColumnsButton, CopyMenu, ExportMenu } from "./menus";
import { FlowTable } from "./table";
import "./flows.css";

const limits = [500, 2000, 10_000];

export default function Flows() {
  const { fields, error } = useFields();
  if (error) return <Problem error={error} />;
  if (fields.list.length === 0) return <Skeleton height={400} />;
  return <Page fields={fields} />;
}

function Page({ fields }: { fields: Fields }) {
  const { params, set } = useLocation();
  const { filter, setFilter } = useFilter();
  const w = useWindow();
  const chosen = params.get("cols");
  const columns = useMemo(() => columnsFrom(chosen, fields, filter), [chosen, fields, filter]);
  const order = params.get("order") ?? "";
  const limit = limits.includes(Number(params.get("limit"))) ? Number(params.get("limit")) : limits[0];
  const asked = useMemo(
    () => [...new Set([...keyFields, ...columns.filter((c) => c !== pathColumn), ...pathFields(fields)])],
    [columns, fields],
  );
  const live = params.get("live") === "1";
  const [paused, setPaused] = useState(false);
  const every = params.get("every") === "1" || choosesReports(filter);
  const scoped = every || !fields.has("primary") ? filter : both(filter, "primary");
  // Measures count primary records unless the filter speaks of them: the bars count what the table lists.
  const reports = every && fields.has("primary") ? both(filter, "(primary || !primary)") : scoped;
  const tail = useLive(live, paused, scoped, asked);
  const request: Request = { fields: asked, order: order || undefined, limit };
  const answer = useBlock(request, { enabled: !live, filter: scoped });
  const stored = useMemo(() => rowsOf(answer.data), [answer.data]);
  const rows = live ? tail.rows : stored;
  const selected = params.get("row") ?? "";
  const open = (row: Row | null) => set({ row: row && keyOf(row) }, true);
  const only = (field: string, row: Row, not: boolean) => {
    const value = row.value(field);
    const constant = Array.isArray(value) ? value.join("|") : (value ?? "");
    setFilter(not ? notThis(filter, field, constant) : onlyThis(filter, field, constant));
  };
  useKeys(live, {
    live: () => set({ live: live ? null : "1" }),
    pause: () => setPaused(!paused),
    close: () => set({ row: null }, true),
  });
  const whole = {
    from: new Date(w.from).toISOString(),
    to: new Date(w.to).toISOString(),
    filter: scoped || undefined,
    ...request,
  };
  return (
    <>
      <div className="page-head">
        <h1>Flows</h1>
        <Count
          live={live}
          tail={tail}
          rows={rows.length}
          cut={answer.data?.truncated ? (order ? "first" : "newest") : ""}
          paused={paused}
        />
        <div className="end">
          {live && (
            <Button onClick={() => setPaused(!paused)} pressed={paused}>
              {paused ? <Play size={14} /> : <Pause size={14} />}
              {paused ? `Go on${tail.waiting ? ` (${tail.waiting} new)` : ""}` : "Pause"}
            </Button>
          )}
          <Button
            pressed={live}
            onClick={() => {
              setPaused(false);
              set({ live: live ? null : "1" });
            }}
          >
            <Radio size={14} />
            Live
          </Button>
          <Tip text="Both nodes of a connection report it. Once shows the report that sums count.">
            <Button pressed={every} onClick={() => set({ every: every ? null : "1" })}>
              <CopyCheck size={14} />
              Every report
            </Button>
          </Tip>
          <ColumnsButton
            fields={fields}
            columns={columns}
            onColumns={(c) => set({ cols: c?.join(",") ?? null }, true)}
          />
          <ExportMenu window={w} filter={scoped} columns={columns} request={whole} />
          <CopyMenu window={w} filter={scoped} columns={columns} request={whole} />
        </div>
      </div>
      {!live && <Histogram filter={reports} />}
      {answer.error && !live ? <Problem error={answer.error} filter={filter} retry={() => answer.refetch()} /> : null}
      {tail.error && live ? <Problem error={tail.error} filter={filter} /> : null}
      <div className="flow-body">
        {!live && answer.isPending && !answer.error ? (
          <Skeleton height={400} />
        ) : rows.length === 0 && !answer.error ? (
          <Nothing
            live={live}
            filter={filter}
            clear={() => setFilter("")}
            wider={() => set(periodParams({ last: "1d" }))}
          />
        ) : (
          <FlowTable
            rows={rows}
            fields={fields}
            columns={columns}
            order={live ? "" : order}
            selected={selected}
            keyOf={keyOf}
            onColumns={(c) => set({ cols: c.join(",") }, true)}
            onOrder={(o) => set({ order: o || null })}
            onSelect={open}
            onOnly={only}
            footer={
              !live && answer.data?.truncated ? (
                <More limit={limit} order={order} onMore={(n) => set({ limit: String(n) }, true)} />
              ) : null
            }
          />
        )}
        {selected && (
          <Details id={selected} fields={fields} onClose={() => open(null)} onOnly={only} onFilter={setFilter} />
        )}
      </div>
    </>
  );
}

function Count({
  live,
  tail,
  rows,
  cut,
  paused,
}: {
  live: boolean;
  tail: Live;
  rows: number;
  cut: string;
  paused: boolean;
}) {
  if (!live)
    return <span className="sub">{cut ? `the ${cut} ${counted(rows, "record")}` : counted(rows, "record")}</span>;
  return (
    <span className="sub" data-seen={tail.seen}>
      <span
        className={`dot ${paused ? "warning" : tail.connected ? "ok" : "critical"}`}
        style={{ display: "inline-block", marginRight: 7 }}
      />
      {paused ? "paused" : tail.connected ? "following" : "connecting"} · {formatWhole(tail.seen)} seen
      {tail.seen > liveRows ? `, the newest ${formatWhole(liveRows)} kept` : ""}
      {tail.lost > 0 && <span className="warning"> · {formatWhole(tail.lost)} came too fast and are not shown</span>}
    </span>
  );
}

function More({ limit, order, onMore }: { limit: number; order: string; onMore(limit: number): void }) {
  const next = limits.find((l) => l > limit);
  if (!next)
    return (
      <span className="quiet">
        More than {formatWhole(limit)}: export has all of them, a filter or a shorter period fewer.
      </span>
    );
  return (
    <Button look="small" onClick={() => onMore(next)}>
      Show {formatWhole(next)} {order ? "" : "newest"}
    </Button>
  );
}

/** What passed over the period; dragging across it zooms in. */
function Histogram({ filter }: { filter: string }) {
  const { params, set } = useLocation();
  const w = useWindow();
  const by = params.get("hist") === "bytes" ? "bytes" : "records";
  const step = stepOf(w, 120);
  const request = { measures: ["count()", "sum(total.bytes)"], step: formatDuration(step), limit: 1000 };
  const { data } = useBlock(request, { filter });
  const measure = by === "bytes" ? "sum(total.bytes)" : "count()";
  const made = useMemo(() => bucketsOf(data, w, step, measure), [data, w, step, measure]);
  const as = by === "bytes" ? { kind: "bytes", unit: "bytes" } : { kind: "count", unit: "" };
  return (
    <div className="histogram panel">
      <Series
        label="Records over time"
        times={made.times}
        step={step / 1000}
        as={as}
        height={86}
        series={[{ label: by, values: made.lines[0].values, colour: "series-1", look: "bars" }]}
      />
      <Segments
        label="What the bars count"
        value={by}
        options={[
          { value: "records", label: "Records" },
          { value: "bytes", label: "Bytes" },
        ]}
        onChange={(v) => set({ hist: v === "bytes" ? v : null }, true)}
      />
    </div>
  );
}

function Nothing({ live, filter, clear, wider }: { live: boolean; filter: string; clear(): void; wider(): void }) {
  if (live)
    return (
      <Empty icon={<Radio size={26} />} title="Waiting for connections">
        {filter ? "Rows appear as soon as one matches the filter." : "Rows appear as soon as agents report some."}
      </Empty>
    );
  return (
    <NoConnections title="No connections" filter={filter} clear={clear} wider={wider}>
      {filter ? "Nothing in this period matches the filter." : "Nothing was recorded in this period."}
    </NoConnections>
  );
}

function useKeys(live: boolean, act: { live(): void; pause(): void; close(): void }): void {
  useEffect(() => {
    const key = (e: KeyboardEvent) => {
      if (isTyping(e)) return;
      if (e.key === "l") act.live();
      else if (e.key === "p" && live) act.pause();
      else if (e.key === "Escape") act.close();
    };
    addEventListener("keydown", key);
    return () => removeEventListener("keydown", key);
  });
}
