import { CircleAlert, CircleCheck } from "lucide-react";
import { useStatus } from "../../api/hooks";
import type { AgentStatus, Exporter, Feature, Loss, Status } from "../../api/types";
import { formatAgo, formatBytes, formatTime, formatWhole } from "../../format/format";
import { Empty, Panel, Problem, Skeleton } from "../../kit/kit";
import "./status.css";

export default function StatusPage() {
  const { data, error, refetch } = useStatus();
  if (error) return <Problem error={error} retry={refetch} />;
  if (!data) return <Skeleton height={400} />;
  return (
    <div className="stack">
      <Ready status={data} />
      <div className="status-grid">
        <Server status={data} />
        <Losses losses={data.losses ?? []} />
      </div>
      <Agents agents={data.agents ?? []} version={data.version} told={data.told} />
      {data.exporters && <Exporters exporters={data.exporters} />}
      {(data.agents ?? []).map((a) => (
        <Features key={a.origin} agent={a} />
      ))}
    </div>
  );
}

function Ready({ status }: { status: Status }) {
  const { ready, reasons = [] } = status.readiness;
  return (
    <div className={`ready panel ${ready ? "" : "bad"}`}>
      {ready ? <CircleCheck size={18} className="ok" /> : <CircleAlert size={18} className="critical" />}
      <div>
        <strong>{ready ? "Capture and store work" : "Something does not work"}</strong>
        {reasons.map((r) => (
          <p key={r}>{r}</p>
        ))}
        {(status.store.notes ?? []).map((n) => (
          <p key={n} className="warning">
            {n}
          </p>
        ))}
      </div>
      <span className="quiet">
        Seine {status.version}, started {formatAgo(Date.parse(status.started), status.told)}
      </span>
    </div>
  );
}

function Facts({ facts }: { facts: [string, string, string?][] }) {
  return (
    <dl className="fact-grid">
      {facts.map(([name, value, note]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
          {note && <dd className="quiet small">{note}</dd>}
        </div>
      ))}
    </dl>
  );
}

function Server({ status: s }: { status: Status }) {
  const perRow = s.store.rows > 0 ? `${Math.round(s.store.bytes / s.store.rows)} bytes a row, its log included` : "";
  return (
    <Panel title="Server and store">
      <Facts
        facts={[
          ["Rows in the store", formatWhole(s.store.rows), perRow],
          [
            "On disk",
            formatBytes(s.store.bytes),
            s.store.oldest ? `oldest ${formatTime(s.store.oldest).replace(/\.\d+$/, "")}` : "empty",
          ],
          [
            "Kept since the start",
            formatWhole(s.stored),
            s.repeated ? `${formatWhole(s.repeated)} came twice and count once` : "none came twice",
          ],
          [
            "Queries",
            `${s.queries.running} of ${s.queries.limit} run`,
            `${formatWhole(s.queries.refused)} refused as too many`,
          ],
          [
            "Exports",
            `${s.exports.running} of ${s.exports.limit} run`,
            `${formatWhole(s.exports.refused)} refused as too many`,
          ],
          [
            "Live tails",
            formatWhole(s.subscribers),
            s.subscribers_lost ? `${formatWhole(s.subscribers_lost)} rows too fast for them` : "none fell behind",
          ],
        ]}
      />
    </Panel>
  );
}

function Losses({ losses }: { losses: Loss[] }) {
  const real = losses.filter((l) => l.count > 0);
  return (
    <Panel title="Losses" sub="what the records lack, by reason">
      {real.length === 0 ? (
        <Empty icon={<CircleCheck size={22} className="ok" />} title="Nothing was lost">
          Neither agents, nor the way here, nor the store dropped anything.
        </Empty>
      ) : (
        <LossTable losses={real} />
      )}
    </Panel>
  );
}

function LossTable({ losses }: { losses: Loss[] }) {
  return (
    <table className="list">
      <tbody>
        {losses.map((l) => (
          <tr key={l.reason}>
            <td>
              <strong>{l.reason.replaceAll("_", " ")}</strong>
              <div className="quiet">{l.detail}</div>
            </td>
            <td className="n warning">{formatWhole(l.count)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function Agents({ agents, version, told }: { agents: AgentStatus[]; version: string; told: number }) {
  if (agents.length === 0) {
    return (
      <Panel title="Agents">
        <Empty title="No agent has connected">
          On each node run <code>seine agent --server HOST:PORT</code>; it appears here at once.
        </Empty>
      </Panel>
    );
  }
  return (
    <Panel title="Agents" sub={`${agents.filter((a) => a.connected).length} of ${agents.length} connected`}>
      <div className="scroll-x" tabIndex={0} role="region" aria-label="Agents">
        <table className="list">
          <thead>
            <tr>
              <th>Node</th>
              <th>State</th>
              <th>Version</th>
              <th className="n">Rows</th>
              <th className="n">Batches</th>
              <th className="n">Dropped on the way</th>
              <th>Last heard</th>
              <th>Connects from</th>
            </tr>
          </thead>
          <tbody>
            {agents.map((a) => (
              <tr key={a.origin}>
                <td>
                  <strong>{a.node}</strong>
                </td>
                <td>
                  <span className={`tag ${a.connected ? "ok" : "warning"}`}>
                    <span className="dot" />
                    {a.connected ? "connected" : "away"}
                  </span>
                </td>
                <td>
                  {a.version}
                  {a.version !== version && <span className="warning"> not the server's</span>}
                  {a.other_fields && <span className="warning"> other fields</span>}
                </td>
                <td className="n">{formatWhole(a.rows)}</td>
                <td className="n">{formatWhole(a.batches)}</td>
                <td className={`n ${a.dropped ? "warning" : ""}`}>{formatWhole(a.dropped)}</td>
                <td>{formatAgo(Date.parse(a.last_seen), told)}</td>
                <td className="quiet">{a.address || "this process"}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </Panel>
  );
}

function Exporters({ exporters }: { exporters: Exporter[] }) {
  return (
    <Panel title="Exporters" sub="where records go on to; rows since the start">
      <div className="scroll-x" tabIndex={0} role="region" aria-label="Exporters">
        <table className="list">
          <thead>
            <tr>
              <th>Name</th>
              <th>State</th>
              <th>To</th>
              <th className="n">Sent</th>
              <th className="n">Refused</th>
              <th className="n">Lost</th>
              <th className="n">Queued</th>
            </tr>
          </thead>
          <tbody>
            {exporters.map((e) => (
              <tr key={e.name}>
                <td>
                  <strong>{e.name}</strong>
                </td>
                <td>
                  <span className={`tag ${states[e.state]}`}>
                    <span className="dot" />
                    {e.state}
                  </span>
                </td>
                <td>
                  {e.kind} <span className="quiet">{e.address}</span>
                  {e.detail && <div className="warning small">{e.detail}</div>}
                </td>
                <td className="n">{formatWhole(e.sent)}</td>
                <td className={`n ${e.refused ? "warning" : ""}`}>{formatWhole(e.refused)}</td>
                <td className={`n ${e.lost ? "warning" : ""}`}>{formatWhole(e.lost)}</td>
                <td className="n">{formatBytes(e.queued_bytes)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </Panel>
  );
}

const states: Record<string, string> = {
  live: "ok",
  waiting: "",
  degraded: "warning",
  off: "",
  unavailable: "warning",
  failed: "critical",
};

/** Exporters of the same process are told in a panel of their own. */
const isAgents = (f: Feature) => !f.name.startsWith("exporter ");

function Features({ agent }: { agent: AgentStatus }) {
  const losses = (agent.losses ?? []).filter((l) => l.count > 0);
  return (
    <Panel title={agent.node} sub="what this agent can do, by which means">
      <ul className="features">
        {(agent.features ?? []).filter(isAgents).map((f: Feature) => (
          <li key={f.name}>
            <span className={`tag ${states[f.state] ?? "warning"}`}>{f.state}</span>
            <strong>{f.name}</strong>
            {f.means && <code>{f.means}</code>}
            <span className="quiet">{f.detail}</span>
          </li>
        ))}
      </ul>
      {losses.length > 0 && <LossTable losses={losses} />}
    </Panel>
  );
}
