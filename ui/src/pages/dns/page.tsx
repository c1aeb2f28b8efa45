import { useState } from "react";
import type { Row } from "../../api/block";
import { type Fields, useBlock, useFields } from "../../api/hooks";
import { HeatPanel, QuantilePanel, StackPanel, totalOf } from "../../chart/panels";
import { type Column, Ranking } from "../../chart/ranking";
import { formatCount, formatNumber, formatShare } from "../../format/format";
import { EdgeName, nameOf } from "../../kit/endpoint";
import { Empty, Problem, Segments, Skeleton } from "../../kit/kit";
import { Missing } from "../../kit/missing";
import { Tile, Tiles } from "../../kit/tile";

const count = { kind: "count", unit: "" };
const share = { kind: "", unit: "ratio" };
const duration = { kind: "duration", unit: "microseconds" };

export default function Dns() {
  const { fields, error } = useFields("dns");
  if (error)
    return (error as { kind?: string }).kind === "unknown_name" ? (
      <Missing what="DNS queries" fields={["dns.name"]} />
    ) : (
      <Problem error={error} />
    );
  if (fields.list.length === 0) return <Skeleton height={400} />;
  return <Page fields={fields} />;
}

function Page({ fields }: { fields: Fields }) {
  const measures = ["count()", "sum(dns.failures)", "sum(dns.timeouts)", "sum(dns.retries)"];
  const { data, error } = useBlock({ dataset: "dns", measures: [...measures, "p50(dns.latency)", "p95(dns.latency)"] });
  const all = totalOf(data, "count()");
  const part = (m: string) => formatShare(all ? totalOf(data, m) / all : 0);
  return (
    <>
      <div className="page-head">
        <h1>DNS</h1>
        <span className="sub">each query with its answer, or without one</span>
      </div>
      {error ? <Problem error={error} /> : null}
      {data && all === 0 ? (
        <Empty title="No DNS queries in this period">
          Agents report queries on port 53 as they see them; a filter may leave them out.
        </Empty>
      ) : (
        <div className="half-grid">
          <Tiles>
            <Tile label="Queries" value={data ? formatCount(all) : "…"} note="in the period" />
            <Tile
              label="Failed"
              value={data ? part("sum(dns.failures)") : "…"}
              look={totalOf(data, "sum(dns.failures)") ? "critical" : "ok"}
              note={`${formatCount(totalOf(data, "sum(dns.failures)"))} answers with an error`}
            />
            <Tile
              label="Timed out"
              value={data ? part("sum(dns.timeouts)") : "…"}
              look={totalOf(data, "sum(dns.timeouts)") ? "critical" : "ok"}
              note={`${formatCount(totalOf(data, "sum(dns.retries)"))} asked again`}
            />
            <Tile
              label="Latency p95"
              value={data ? formatNumber(totalOf(data, "p95(dns.latency)"), duration) : "…"}
              note={`median ${formatNumber(totalOf(data, "p50(dns.latency)"), duration)}`}
            />
          </Tiles>
          <StackPanel
            dataset="dns"
            fields={fields}
            title="Queries"
            sub="by response code"
            measure="count()"
            by="dns.rcode"
            as={count}
            none="No queries."
            colours={{ NOERROR: "series-1", NXDOMAIN: "series-3", SERVFAIL: "critical", "": "series-7" }}
          />
          <QuantilePanel dataset="dns" fields={fields} title="Latency" field="dns.latency" />
          <HeatPanel dataset="dns" fields={fields} title="Latencies, all of them" field="dns.latency" />
          <StackPanel
            dataset="dns"
            fields={fields}
            title="Queries"
            sub="by type"
            measure="count()"
            by="dns.type"
            as={count}
            none="No queries."
          />
          <Tables fields={fields} />
        </div>
      )}
    </>
  );
}

const views = {
  names: { label: "Names", head: "Name", keys: ["dns.name", "dns.type"] },
  clients: { label: "Clients", head: "Client", keys: ["src.kind", "src.namespace", "src.workload.name"] },
  resolvers: {
    label: "Resolvers",
    head: "Client → resolver",
    keys: [
      "src.kind",
      "src.namespace",
      "src.workload.name",
      "dst.kind",
      "dst.service",
      "backend.kind",
      "backend.namespace",
      "backend.workload.name",
    ],
  },
};

function Tables({ fields }: { fields: Fields }) {
  const [view, setView] = useState<keyof typeof views>("names");
  const columns: Column[] = [
    { measure: "count()", label: "Queries", as: count },
    { measure: "sum(dns.failures) / count()", label: "Failed", as: share, limit: 0 },
    { measure: "sum(dns.timeouts) / count()", label: "Timed out", as: share, limit: 0 },
    { measure: "p50(dns.latency)", label: "Median", as: duration },
    { measure: "p95(dns.latency)", label: "p95", as: duration },
    { measure: "max(dns.latency)", label: "Slowest", as: duration },
  ];
  const name = (row: Row) =>
    view === "names" ? (
      <span className="end">
        {row.text("dns.name")} <span className="quiet">{row.text("dns.type")}</span>
      </span>
    ) : view === "clients" ? (
      <span className="end client">{nameOf(row, "src")}</span>
    ) : (
      <EdgeName row={row} />
    );
  return (
    <div className="wide">
      <div className="table-tabs">
        <Segments<keyof typeof views>
          label="Table of"
          value={view}
          options={Object.entries(views).map(([value, v]) => ({ value: value as keyof typeof views, label: v.label }))}
          onChange={setView}
        />
      </div>
      <Ranking
        key={view}
        dataset="dns"
        page="dns"
        title={views[view].label}
        sub="each beside the period before; a heading sorts"
        head={views[view].head}
        keys={views[view].keys.filter((k) => fields.get(k)?.group_by)}
        name={name}
        columns={columns}
        none="No queries."
        most={25}
      />
    </div>
  );
}
