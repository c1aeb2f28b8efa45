import { useState } from "react";
import { type Row, rowsOf } from "../../api/block";
import { type Fields, useBlock, useFields } from "../../api/hooks";
import type { Field } from "../../api/types";
import { StackPanel, totalOf } from "../../chart/panels";
import { Ranking } from "../../chart/ranking";
import { both, quote } from "../../filter/cel";
import { formatBytes, formatNumber, formatShare } from "../../format/format";
import { EdgeName } from "../../kit/endpoint";
import { Panel, Problem, Segments, Skeleton } from "../../kit/kit";
import { Missing } from "../../kit/missing";
import { Tile, Tiles } from "../../kit/tile";
import { useWindow } from "../../state/clock";
import { useLocation } from "../../state/url";
import { sankeyOf } from "./sankey";
import "./cost.css";

const bytes = { kind: "bytes", unit: "bytes" };
const month = 30 * 86_400_000;

export default function Cost() {
  const { fields, error } = useFields();
  if (error) return <Problem error={error} />;
  if (fields.list.length === 0) return <Skeleton height={400} />;
  if (!fields.has("cost", "traffic.class")) return <Missing what="what traffic costs" fields={["cost"]} />;
  return <Page fields={fields} cost={fields.get("cost") as Field} />;
}

const edgeKeys = [
  "src.kind",
  "src.namespace",
  "src.workload.name",
  "dst.kind",
  "dst.service",
  "backend.kind",
  "backend.namespace",
  "backend.workload.name",
];

function Page({ fields, cost }: { fields: Fields; cost: Field }) {
  const w = useWindow();
  const { params, link } = useLocation();
  const { data, error } = useBlock({
    group_by: ["traffic.class"],
    measures: ["sum(cost)", "sum(total.bytes)"],
    order: "-sum(cost)",
  });
  const total = totalOf(data, "sum(cost)");
  const all = totalOf(data, "sum(total.bytes)");
  const monthly = (total * month) / (w.to - w.from);
  const rows = rowsOf(data);
  const classed = rows.filter((r) => r.text("traffic.class") !== "");
  const paid = classed.filter((r) => r.number("sum(cost)") > 0).reduce((a, r) => a + r.number("sum(total.bytes)"), 0);
  return (
    <>
      <div className="page-head">
        <h1>Cost</h1>
        <span className="sub">what traffic costs by the server's prices: between zones, regions and the internet</span>
      </div>
      {error ? <Problem error={error} /> : null}
      <div className="half-grid">
        <Tiles>
          <Tile label="In this period" value={data ? formatNumber(total, cost) : "…"} note={cost.doc} />
          <Tile label="In a month at this rate" value={data ? formatNumber(monthly, cost) : "…"} note="30 days" />
          <Tile
            label="Traffic that is paid for"
            value={data ? formatShare(all ? paid / all : 0) : "…"}
            note={`${formatBytes(paid)} of ${formatBytes(all)}`}
          />
          {classed[0] && (
            <Tile
              label="Dearest class"
              value={classed[0].text("traffic.class").replaceAll("_", " ")}
              note={formatNumber(classed[0].number("sum(cost)"), cost)}
              href={link("flows", {
                q: both(params.get("q") ?? "", `traffic.class == ${quote(classed[0].text("traffic.class"))}`),
              })}
            />
          )}
        </Tiles>
        <StackPanel
          fields={fields}
          title="Cost"
          sub="by class of traffic"
          measure="sum(cost)"
          by="traffic.class"
          as={cost}
          none="Nothing that is paid for."
        />
        <StackPanel
          fields={fields}
          title="Bytes"
          sub="by class of traffic"
          measure="sum(total.bytes)"
          by="traffic.class"
          as={bytes}
          none="No traffic."
        />
        <Between fields={fields} cost={cost} />
        <Ranking
          className="wide"
          title="Pairs"
          sub="client → Service ⇒ backend, each beside the period before; a heading sorts"
          head="Who"
          keys={edgeKeys.filter((k) => fields.get(k)?.group_by)}
          name={(row: Row) => <EdgeName row={row} />}
          columns={[
            { measure: "sum(cost)", label: "Cost", as: cost },
            { measure: "sum(total.bytes)", label: "Bytes", as: bytes },
            { measure: 'sum(total.bytes, traffic.class == "cross_zone")', label: "Across zones", as: bytes },
          ]}
          none="Nothing that is paid for in this period."
          most={25}
        />
      </div>
    </>
  );
}

/** What goes from which zone or region to which, as ribbons. */
function Between({ fields, cost }: { fields: Fields; cost: Field }) {
  const { params, link } = useLocation();
  const [by, setBy] = useState("zone");
  const [what, setWhat] = useState("sum(cost)");
  const places = ["zone", "region", "node"].filter((p) => fields.has(`src.${p}`, `backend.${p}`));
  const keys = [`src.${by}`, "src.kind", `backend.${by}`, "backend.kind"];
  const { data, error, isPending } = useBlock({
    group_by: keys,
    measures: ["sum(cost)", "sum(total.bytes)"],
    order: `-${what}`,
    limit: 400,
  });
  const place = (row: Row, end: string) =>
    row.text(`${end}.${by}`) || { External: "outside" }[row.text(`${end}.kind`)] || "unknown";
  const flows = Map.groupBy(rowsOf(data), (r) => `${place(r, "src")}\n${place(r, "backend")}`);
  const height = 230;
  const drawn = sankeyOf(
    [...flows].map(([id, rows]) => ({
      from: id.split("\n")[0],
      to: id.split("\n")[1],
      value: rows.reduce((a, r) => a + r.number(what), 0),
    })),
    height,
  );
  const as = what === "sum(cost)" ? cost : bytes;
  const condition = (end: string, name: string) =>
    name === "outside"
      ? `${end}.kind == "External"`
      : name === "unknown"
        ? `${end}.${by} == ""`
        : `${end}.${by} == ${quote(name)}`;
  return (
    <Panel
      className="wide"
      title="Between places"
      sub="from clients, left, to backends, right"
      end={
        <>
          <Segments
            label="Places"
            value={by}
            options={places.map((p) => ({ value: p, label: `${p[0].toUpperCase()}${p.slice(1)}s` }))}
            onChange={setBy}
          />
          <Segments
            label="Measure"
            value={what}
            options={[
              { value: "sum(cost)", label: "Cost" },
              { value: "sum(total.bytes)", label: "Bytes" },
            ]}
            onChange={setWhat}
          />
        </>
      }
    >
      {error ? <Problem error={error} /> : null}
      {isPending ? (
        <Skeleton height={height} />
      ) : drawn.ribbons.length === 0 ? (
        <p className="quiet pad">
          Nothing in this period{what === "sum(cost)" ? " is paid for; Bytes shows what is free, too" : ""}.
        </p>
      ) : null}
      <div className="sankey" style={{ height: drawn.ribbons.length ? height : 0 }}>
        <ul>
          {drawn.left.map((b) => (
            <li key={b.name} style={{ top: b.y, height: b.h }}>
              {b.name} <span className="quiet">{formatNumber(b.value, as)}</span>
            </li>
          ))}
        </ul>
        <svg viewBox={`0 0 100 ${height}`} preserveAspectRatio="none" aria-hidden="true">
          {drawn.ribbons.map((r) => (
            <path
              key={`${r.from} ${r.to}`}
              className={r.from === r.to ? "same" : ""}
              d={`M0 ${r.y0}C50 ${r.y0} 50 ${r.y1} 100 ${r.y1}V${r.y1 + r.h}C50 ${r.y1 + r.h} 50 ${r.y0 + r.h} 0 ${r.y0 + r.h}Z`}
            >
              <title>{`${r.from} to ${r.to}: ${formatNumber(r.value, as)}`}</title>
            </path>
          ))}
        </svg>
        <ul className="right">
          {drawn.right.map((b) => (
            <li key={b.name} style={{ top: b.y, height: b.h }}>
              {b.name} <span className="quiet">{formatNumber(b.value, as)}</span>
            </li>
          ))}
        </ul>
      </div>
      <div className="legend">
        {drawn.ribbons.slice(0, 12).map((r) => (
          <a
            key={`${r.from} ${r.to}`}
            href={link("flows", {
              q: both(params.get("q") ?? "", `${condition("src", r.from)} && ${condition("backend", r.to)}`),
            })}
          >
            {r.from} → {r.to} <b>{formatNumber(r.value, as)}</b>
          </a>
        ))}
      </div>
    </Panel>
  );
}
