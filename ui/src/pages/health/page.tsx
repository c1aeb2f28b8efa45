import { CircleCheck, Info } from "lucide-react";
import type { Row } from "../../api/block";
import type { ApiError } from "../../api/client";
import { type Fields, useFields, useHealth } from "../../api/hooks";
import { HeatPanel, LinesPanel, QuantilePanel, StackPanel } from "../../chart/panels";
import { type Column, Ranking } from "../../chart/ranking";
import { EdgeName } from "../../kit/endpoint";
import { Empty, Panel, Problem, Skeleton } from "../../kit/kit";
import { Missing } from "../../kit/missing";
import { FindingLine, ranked } from "./finding";
import "./finding.css";

const count = { kind: "count", unit: "" };
const share = { kind: "", unit: "ratio" };

export default function Health() {
  const { fields, error } = useFields();
  if (error) return <Problem error={error} />;
  if (fields.list.length === 0) return <Skeleton height={400} />;
  return (
    <>
      <div className="page-head">
        <h1>Health</h1>
        <span className="sub">what is wrong, with whom, and since when</span>
      </div>
      <div className="half-grid">
        <Findings />
        {fields.has("tcp.connect") ? (
          <Charts fields={fields} />
        ) : (
          <Missing what="the health of connections" fields={["tcp.connect", "tcp.rtt"]} />
        )}
      </div>
    </>
  );
}

function Findings() {
  const { data, error, isPending, refetch } = useHealth();
  const list = ranked(data?.findings ?? []);
  const checked = data?.checked;
  return (
    <Panel
      className="wide"
      title="Findings"
      sub={checked && `${checked.rules} rules on ${checked.edges} pairs and ${checked.nodes} nodes`}
    >
      {error ? (
        <div className="pad">
          {(error as ApiError).status === 404 ? (
            <p className="quiet">This server has no health rules; the charts below still tell.</p>
          ) : (
            <Problem error={error} retry={refetch} />
          )}
        </div>
      ) : isPending ? (
        <div className="pad">
          <Skeleton height={120} />
        </div>
      ) : list.length === 0 ? (
        <Empty icon={<CircleCheck size={24} className="ok" />} title="Nothing stands out">
          No rule found anything unusual in this period.
        </Empty>
      ) : (
        <div className="finding-list">
          {list.map((f) => (
            <FindingLine key={f.rule + f.sentence} finding={f} detailed />
          ))}
        </div>
      )}
      {(data?.notes ?? []).map((n) => (
        <p key={n} className="note pad">
          <Info size={13} />
          {n}
        </p>
      ))}
    </Panel>
  );
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

function Charts({ fields }: { fields: Fields }) {
  const failed = 'count(tcp.connect != "" && tcp.connect != "ok")';
  const tried = 'count(tcp.connect != "")';
  const columns: Column[] = [
    { measure: tried, label: "Connects", as: count },
    { measure: `${failed} / ${tried}`, label: "Failed", as: share, limit: 0 },
    { measure: "p95(tcp.handshake)", label: "Handshake p95", as: { kind: "duration", unit: "microseconds" } },
    { measure: "p95(tcp.rtt)", label: "Round trip p95", as: { kind: "duration", unit: "microseconds" } },
    { measure: "sum(total.retransmits) / sum(total.packets)", label: "Retransmitted", as: share, limit: 0.01 },
    { measure: "sum(tcp.resets)", label: "Resets", as: count },
    { measure: "sum(total.drop_packets)", label: "Dropped", as: count, limit: 0 },
  ].filter((c) => [...c.measure.matchAll(/[a-z]+\.[a-z_]+/g)].every(([n]) => fields.has(n)));
  return (
    <>
      <StackPanel
        fields={fields}
        title="Connects"
        sub="by how they ended"
        measure="count()"
        by="tcp.connect"
        hide={[""]}
        as={count}
        none="No connect was seen in this period."
        colours={{
          ok: "series-1",
          refused: "critical",
          timeout: "series-3",
          unreachable: "series-5",
          aborted: "series-7",
        }}
      />
      {fields.has("tcp.rtt") && <QuantilePanel fields={fields} title="Round trip" field="tcp.rtt" />}
      {fields.has("tcp.rtt") && <HeatPanel fields={fields} title="Round trips, all of them" field="tcp.rtt" />}
      {fields.has("tcp.handshake") && <QuantilePanel fields={fields} title="Handshake" field="tcp.handshake" />}
      {fields.has("tcp.reset_by") && (
        <StackPanel
          fields={fields}
          title="Resets"
          sub="by who sent them"
          measure="sum(tcp.resets)"
          by="tcp.reset_by"
          hide={[""]}
          as={count}
          none="No connection was reset."
          colours={{ client: "client", server: "backend", both: "series-3" }}
        />
      )}
      {fields.has("total.retransmits", "total.drop_packets", "total.zero_windows") && (
        <LinesPanel
          fields={fields}
          title="Faults on the way"
          sub="segments sent again, dropped packets, full receivers"
          as={count}
          none="None was seen in this period."
          lines={[
            { label: "retransmits", measure: "sum(total.retransmits)", colour: "series-3" },
            { label: "drops", measure: "sum(total.drop_packets)", colour: "critical" },
            { label: "zero windows", measure: "sum(total.zero_windows)", colour: "series-2" },
          ]}
        />
      )}
      {fields.has("drop_reason") && (
        <StackPanel
          fields={fields}
          title="Dropped packets"
          sub="by the kernel's reason"
          measure="sum(total.drop_packets)"
          by="drop_reason"
          hide={[""]}
          as={count}
          none="The kernel dropped none."
        />
      )}
      <Ranking
        className="wide"
        title="Pairs"
        sub="client → Service ⇒ backend, each beside the period before; a heading sorts"
        head="Who"
        keys={edgeKeys.filter((k) => fields.get(k)?.group_by)}
        name={(row: Row) => <EdgeName row={row} />}
        columns={columns}
        filter={'proto == "TCP"'}
        none="No TCP connections in this period."
        most={25}
      />
    </>
  );
}
