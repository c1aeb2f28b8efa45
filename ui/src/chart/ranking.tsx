// A table of groups with measures, each beside the period before.
import { type ReactNode, useState } from "react";
import { type Row, rowsOf } from "../api/block";
import { useBlock } from "../api/hooks";
import { both, quote } from "../filter/cel";
import { formatChange, formatNumber, type Measured } from "../format/format";
import { Panel, Problem, Skeleton } from "../kit/kit";
import { useWindow } from "../state/clock";
import { compareOf } from "../state/period";
import { useLocation } from "../state/url";

export interface Column {
  measure: string;
  label: string;
  as: Measured;
  /** Values above it are marked. */
  limit?: number;
}

interface Props {
  title: string;
  sub?: string;
  dataset?: string;
  keys: string[];
  /** How a group is named. */
  name(row: Row): ReactNode;
  head: string;
  columns: Column[];
  filter?: string;
  none: string;
  className?: string;
  most?: number;
  page?: string;
}

export function Ranking({
  title,
  sub,
  dataset,
  keys,
  name,
  head,
  columns,
  filter,
  none,
  className,
  most = 12,
  page = "flows",
}: Props) {
  const { params, link } = useLocation();
  const w = useWindow();
  const [by, setBy] = useState(columns[0].measure);
  const own = params.get("q") ?? "";
  const { data, error, isPending } = useBlock(
    {
      dataset,
      group_by: keys,
      measures: columns.map((c) => c.measure),
      order: `-${by}`,
      limit: most,
      compare: compareOf(w),
    },
    { filter: both(own, filter ?? "") },
  );
  const rows = rowsOf(data).filter((r) => columns.some((c) => r.number(c.measure) > 0));
  const condition = (row: Row) =>
    keys.map((k) => `${k} == ${typeof row.value(k) === "number" ? row.number(k) : quote(row.text(k))}`).join(" && ");
  return (
    <Panel title={title} sub={sub} className={className}>
      {error ? (
        <div className="pad">
          <Problem error={error} />
        </div>
      ) : isPending ? (
        <div className="pad">
          <Skeleton height={160} />
        </div>
      ) : rows.length === 0 ? (
        <p className="quiet pad">{none}</p>
      ) : (
        <section className="scroll-x" aria-label={title} tabIndex={0}>
          <table className="list">
            <thead>
              <tr>
                <th>{head}</th>
                {columns.map((c) => (
                  <th key={c.measure} className="n" aria-sort={c.measure === by ? "descending" : "none"}>
                    <button type="button" className="sort" data-on={c.measure === by} onClick={() => setBy(c.measure)}>
                      {c.label}
                    </button>
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {rows.map((row) => (
                <tr key={keys.map((k) => row.text(k)).join("|")}>
                  <td>
                    <a className="path" href={link(page, { q: both(own, both(filter ?? "", condition(row))) })}>
                      {name(row)}
                    </a>
                  </td>
                  {columns.map((c) => (
                    <Cell key={c.measure} column={c} row={row} />
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
        </section>
      )}
    </Panel>
  );
}

function Cell({ column, row }: { column: Column; row: Row }) {
  const value = row.value(column.measure);
  const before = row.value(`previous(${column.measure})`);
  const marked = typeof value === "number" && column.limit !== undefined && value > column.limit;
  const known = typeof value === "number" && typeof before === "number" && before > 0;
  return (
    <td className={`n ${marked ? "critical" : ""}`}>
      {typeof value === "number" ? formatNumber(value, column.as) : "–"}
      {known && <span className="quiet was">{formatChange(value, before)}</span>}
    </td>
  );
}
