import { ArrowDownRight, ArrowUpRight, CircleCheck, Inbox } from "lucide-react";
import { useEffect, useState } from "react";
import { numbersOf, rowsOf, sum } from "../../api/block";
import type { ApiError } from "../../api/client";
import { type Fields, useBlock, useFields, useHealth, useStatus } from "../../api/hooks";
import type { Block, Status } from "../../api/types";
import { bucketsOf } from "../../chart/buckets";
import { Series } from "../../chart/series";
import { useFilter } from "../../filter/bar";
import { both } from "../../filter/cel";
import { formatBytes, formatChange, formatCount, formatShare, formatWhole } from "../../format/format";
import { MiddleName } from "../../kit/endpoint";
import { Button, Empty, Panel, Problem, Skeleton } from "../../kit/kit";
import { Tile } from "../../kit/tile";
import { useWindow } from "../../state/clock";
import { compareOf, formatDuration, periodParams, recordedSeconds, stepOf } from "../../state/period";
import { useLocation } from "../../state/url";
import { FindingLine, ranked } from "../health/finding";
import { changesOf, isNamed, type Pair, pairKeys, pairsOf } from "./pairs";
import "../health/finding.css";
import "./overview.css";

export default function Overview() {
  const { fields, error } = useFields();
  if (error) return <Problem error={error} />;
  if (fields.list.length === 0) return <Skeleton height={400} />;
  return <Page fields={fields} />;
}

/** Three queries, beside fields, status and findings: six calls in all. */
function useOverview(fields: Fields) {
  const w = useWindow();
  const step = stepOf(w, 90);
  const [named, setNamed] = useState(true);
  const keys = pairKeys(fields, named);
  const compare = compareOf(w, step);
  const series = useBlock({
    measures: ["sum(total.bytes)", "count()"],
    step: formatDuration(step),
    compare,
    limit: 2000,
  });
  const pairs = useBlock({
    group_by: keys,
    measures: ["sum(total.bytes)", "count()"],
    order: "-sum(total.bytes)",
    limit: 2000,
    compare,
  });
  useEffect(() => {
    if (!isNamed(pairs.data) && pairs.data?.columns.some((c) => c.field === "src.kind")) setNamed(false);
  }, [pairs.data]);
  const kinds = ["proto", "nat", "nat_source", "tcp.connect"].filter((n) => fields.get(n)?.group_by);
  const classes = useBlock({ group_by: kinds, measures: ["count()", "sum(total.bytes)"], limit: 1000 });
  return { w, step, keys, series, pairs, classes };
}

function Page({ fields }: { fields: Fields }) {
  const { w, step, keys, series, pairs, classes } = useOverview(fields);
  const { filter, setFilter } = useFilter();
  const { set } = useLocation();
  const status = useStatus();
  const oldest = Date.parse(status.data?.store.oldest ?? "");
  // A period before that the records do not reach back to would make all look new.
  const comparable = Number.isFinite(oldest) && oldest <= w.from - (w.to - w.from) * 0.5;
  const error = series.error ?? pairs.error;
  const list = pairsOf(pairs.data, keys);
  const empty = series.data && sum(numbersOf(series.data, "count()")) === 0;
  return (
    <>
      <div className="page-head">
        <h1>Overview</h1>
        <Verdict />
      </div>
      {error ? <Problem error={error} filter={filter} retry={() => series.refetch()} /> : null}
      {empty ? (
        <Nothing
          filter={filter}
          status={status.data}
          clear={() => setFilter("")}
          wider={() => set(periodParams({ last: "1d" }))}
        />
      ) : (
        <div className="overview">
          <Tiles
            series={series.data}
            classes={classes.data}
            status={status.data}
            fields={fields}
            comparable={comparable}
            seconds={recordedSeconds(w, oldest)}
          />
          <Panel
            className="traffic"
            title="Traffic"
            sub={comparable ? "dashed: the period before" : "the records do not reach back to the period before"}
          >
            <Traffic block={series.data} step={step} comparable={comparable} />
          </Panel>
          <Findings />
          <Panel className="talkers" title="Top talkers" sub="client → Service ⇒ backend" end={<MapLink />}>
            <Pairs
              list={list.filter((p) => p.bytes > 0).slice(0, 10)}
              pending={pairs.isPending}
              comparable={comparable}
            />
          </Panel>
          <Panel className="changes" title="Top changes" sub="against the period before">
            {comparable ? (
              <Pairs
                list={changesOf(list, 10)}
                pending={pairs.isPending}
                comparable
                none="Nobody speaks much more or less than before."
              />
            ) : (
              <p className="quiet pad">
                Recording began within the last two periods. Once there is something to compare with, what changed most
                stands here; a shorter period gets there sooner.
              </p>
            )}
          </Panel>
          <Translation block={classes.data} />
          <Losses status={status.data} />
        </div>
      )}
    </>
  );
}

function Verdict() {
  const { data, error } = useHealth();
  const { link } = useLocation();
  if (error && (error as ApiError).status === 404) return <span className="sub">what is spoken, and what changed</span>;
  if (!data) return null;
  const bad = (data.findings ?? []).filter((f) => f.severity !== "info").length;
  if (bad === 0) {
    return (
      <span className="tag ok">
        <CircleCheck size={13} />
        nothing stands out
      </span>
    );
  }
  return (
    <a
      className={`tag ${data.findings?.some((f) => f.severity === "critical") ? "critical" : "warning"}`}
      href={link("health")}
    >
      {bad === 1 ? "1 thing needs attention" : `${bad} things need attention`}
    </a>
  );
}

function Nothing({ filter, status, clear, wider }: { filter: string; status?: Status; clear(): void; wider(): void }) {
  const agents = status?.agents ?? [];
  return (
    <Empty
      icon={<Inbox size={26} />}
      title="No connections in this period"
      actions={
        <>
          {filter && (
            <Button look="primary" onClick={clear}>
              Clear the filter
            </Button>
          )}
          <Button onClick={wider}>Look at the last day</Button>
        </>
      }
    >
      {filter
        ? "None of them matches the filter."
        : agents.length === 0
          ? "No agent has connected yet. On a node, seine agent --server HOST:PORT sends its connections here."
          : "The agents are connected; what they see appears within seconds."}
    </Empty>
  );
}

function Change({ now, before }: { now: number; before: number }) {
  const text = formatChange(now, before);
  return (
    <span className="change">
      {now > before * 1.005 ? <ArrowUpRight size={13} /> : now < before * 0.995 ? <ArrowDownRight size={13} /> : null}
      {text}
    </span>
  );
}

/** The protocols whose connections the kernel tracks without exception; of ICMPv6 it leaves neighbour discovery out. */
const tracked = ["TCP", "UDP", "SCTP"];

/** The share of connections whose dialled address and backend are known. */
export function coverageOf(block: Block | undefined): number {
  const rows = rowsOf(block).filter((r) => tracked.includes(r.text("proto")));
  const all = sum(rows.map((r) => r.number("count()")));
  return all === 0
    ? Number.NaN
    : sum(rows.filter((r) => r.text("nat_source") !== "none").map((r) => r.number("count()"))) / all;
}

/** Connects that failed, of those whose outcome was seen. */
export function failuresOf(block: Block | undefined): { failed: number; all: number } {
  const rows = rowsOf(block).filter((r) => r.text("tcp.connect") !== "");
  return {
    failed: sum(rows.filter((r) => r.text("tcp.connect") !== "ok").map((r) => r.number("count()"))),
    all: sum(rows.map((r) => r.number("count()"))),
  };
}

function Tiles({
  series,
  classes,
  status,
  fields,
  comparable,
  seconds,
}: {
  series?: Block;
  classes?: Block;
  status?: Status;
  fields: Fields;
  comparable: boolean;
  seconds: number;
}) {
  const { link, params } = useLocation();
  const total = (c: string) => sum(numbersOf(series, c));
  const [bytes, before, records, recordsBefore] = [
    "sum(total.bytes)",
    "previous(sum(total.bytes))",
    "count()",
    "previous(count())",
  ].map(total);
  const { failed, all } = failuresOf(classes);
  const lost = sum((status?.losses ?? []).map((l) => l.count));
  const agents = status?.agents ?? [];
  return (
    <div className="tiles">
      <Tile
        label="Traffic"
        value={series ? `${formatBytes(bytes / seconds)}/s` : "…"}
        note={
          <>
            {formatBytes(bytes)} in all {comparable && <Change now={bytes} before={before} />}
          </>
        }
        href={link("flows", { hist: "bytes", order: "-total.bytes" })}
      />
      <Tile
        label="Records of connections"
        value={series ? formatCount(records) : "…"}
        note={
          <>
            {formatCount(records / seconds)} a second {comparable && <Change now={records} before={recordsBefore} />}
          </>
        }
        href={link("flows")}
      />
      {fields.has("tcp.connect") ? (
        <Tile
          label="Failed connects"
          value={classes ? formatShare(all ? failed / all : 0) : "…"}
          look={failed > 0 ? "critical" : "ok"}
          note={all ? `${formatWhole(failed)} of ${formatCount(all)}` : "no connect was seen"}
          href={link("flows", {
            q: both(params.get("q") ?? "", 'tcp.connect in ["refused", "timeout", "unreachable"]'),
          })}
        />
      ) : (
        <Tile label="Failed connects" value="–" note="not measured by this server" />
      )}
      <Tile
        label="Translations known"
        value={classes ? formatShare(coverageOf(classes)) : "…"}
        look={coverageOf(classes) < 0.98 ? "warning" : ""}
        note="of TCP, UDP and SCTP"
        href={link("flows", {
          q: both(params.get("q") ?? "", 'nat_source == "none" && proto in ["TCP", "UDP", "SCTP"]'),
        })}
      />
      <Tile
        label="Lost by Seine"
        value={status ? formatCount(lost) : "…"}
        look={lost > 0 ? "warning" : "ok"}
        note={`${agents.filter((a) => a.connected).length} of ${agents.length} agents connected`}
        href={link("status")}
      />
    </div>
  );
}

function Traffic({ block, step, comparable }: { block?: Block; step: number; comparable: boolean }) {
  const w = useWindow();
  const now = bucketsOf(block, w, step, "sum(total.bytes)");
  const before = bucketsOf(block, w, step, "previous(sum(total.bytes))");
  const rate = (values: (number | null)[]) => values.map((v) => (v === null ? null : v / (step / 1000)));
  const drawn = [{ label: "now", values: rate(now.lines[0].values), colour: "series-1", look: "area" as const }];
  const earlier = {
    label: "before",
    values: rate(before.lines[0].values),
    colour: "series-7",
    look: "dashed" as const,
  };
  return (
    <Series
      label="Bytes a second"
      times={now.times}
      step={step / 1000}
      as={{ kind: "bytes", unit: "bytes/s" }}
      height={196}
      series={comparable ? [...drawn, earlier] : drawn}
    />
  );
}

function Findings() {
  const { data, error, isPending } = useHealth();
  const { link } = useLocation();
  const missing = error && (error as ApiError).status === 404;
  const list = ranked(data?.findings ?? []);
  return (
    <Panel
      className="findings"
      title="Findings"
      sub={data ? "most severe first" : undefined}
      end={
        <a className="more" href={link("health")}>
          All of them
        </a>
      }
    >
      {missing ? (
        <p className="quiet pad">
          This server has no health rules. What changed most is below, failures are in the tiles above.
        </p>
      ) : error ? (
        <div className="pad">
          <Problem error={error} />
        </div>
      ) : isPending ? (
        <div className="pad">
          <Skeleton height={140} />
        </div>
      ) : list.length === 0 ? (
        <Empty icon={<CircleCheck size={24} className="ok" />} title="Nothing stands out">
          No rule found anything unusual in this period.
        </Empty>
      ) : (
        <div className="finding-list">
          {list.slice(0, 7).map((f) => (
            <FindingLine key={f.rule + f.sentence} finding={f} />
          ))}
        </div>
      )}
    </Panel>
  );
}

function MapLink() {
  const { link } = useLocation();
  return (
    <a className="more" href={link("map")}>
      As a map
    </a>
  );
}

function End({ look, name }: { look: string; name: string }) {
  return (
    <span className={`end ${look}`} title={name}>
      <MiddleName text={name} />
    </span>
  );
}

function Pairs({
  list,
  pending,
  comparable,
  none,
}: {
  list: Pair[];
  pending: boolean;
  comparable: boolean;
  none?: string;
}) {
  const { link, params } = useLocation();
  if (pending)
    return (
      <div className="pad">
        <Skeleton height={200} />
      </div>
    );
  if (list.length === 0) return <p className="quiet pad">{none ?? "Nothing."}</p>;
  const most = Math.max(1, ...list.map((p) => Math.max(p.bytes, p.before)));
  return (
    <table className="list pairs">
      <tbody>
        {list.map((p) => (
          <tr key={p.id}>
            <td>
              <a className="path" href={link("flows", { q: both(params.get("q") ?? "", p.filter) })}>
                <End look="client" name={p.client} />
                <span className="arrow">→</span>
                {p.service && (
                  <>
                    <End look="dialled" name={p.service} />
                    <span className="arrow">⇒</span>
                  </>
                )}
                <End look="backend" name={p.backend} />
              </a>
            </td>
            <td className="bar-cell">
              <span className="bar">
                <i style={{ width: `${(100 * p.bytes) / most}%` }} />
              </span>
            </td>
            <td className="n">{formatBytes(p.bytes)}</td>
            {comparable && (
              <td className="n quiet">
                <Change now={p.bytes} before={p.before} />
              </td>
            )}
          </tr>
        ))}
      </tbody>
    </table>
  );
}

const natWords: Record<string, string> = {
  none: "Not translated",
  dnat: "Dialled address (DNAT)",
  snat: "Client's address (SNAT)",
  "dnat+snat": "Both",
};

function Translation({ block }: { block?: Block }) {
  const { link, params } = useLocation();
  const rows = rowsOf(block);
  const all = Math.max(1, sum(rows.map((r) => r.number("count()"))));
  const by = Map.groupBy(rows, (r) => r.text("nat"));
  const sources = Map.groupBy(rows, (r) => r.text("nat_source"));
  const line = (field: string, value: string, label: string, count: number) => (
    <tr key={field + value}>
      <td>
        <a href={link("flows", { q: both(params.get("q") ?? "", `${field} == "${value}"`) })}>{label}</a>
      </td>
      <td className="bar-cell">
        <span className="bar">
          <i
            style={{
              width: `${(100 * count) / all}%`,
              background: field === "nat" ? "var(--dialled)" : "var(--backend)",
            }}
          />
        </span>
      </td>
      <td className="n">{formatShare(count / all)}</td>
    </tr>
  );
  const size = (list: { number(n: string): number }[]) => sum(list.map((r) => r.number("count()")));
  return (
    <Panel className="translation" title="Translation" sub="share of records, and how each was learnt">
      <table className="list">
        <tbody>
          {[...by]
            .sort((a, b) => size(b[1]) - size(a[1]))
            .map(([nat, list]) => line("nat", nat, natWords[nat] ?? nat, size(list)))}
          {[...sources]
            .sort((a, b) => size(b[1]) - size(a[1]))
            .map(([source, list]) =>
              line("nat_source", source, source === "none" ? "Not learnt" : `Learnt by ${source}`, size(list)),
            )}
        </tbody>
      </table>
    </Panel>
  );
}

function Losses({ status }: { status?: Status }) {
  const { link } = useLocation();
  const losses = (status?.losses ?? []).filter((l) => l.count > 0);
  return (
    <Panel
      className="losses"
      title="What is missing"
      sub="in these data, counted by Seine itself"
      end={
        <a className="more" href={link("status")}>
          Status
        </a>
      }
    >
      {status && losses.length === 0 ? (
        <p className="pad">
          <span className="ok">Nothing was lost.</span>{" "}
          <span className="quiet">Every packet that the agents saw is in the records.</span>
        </p>
      ) : (
        <table className="list">
          <tbody>
            {losses.map((l) => (
              <tr key={l.reason}>
                <td>
                  {l.reason.replaceAll("_", " ")}
                  <div className="quiet">{l.detail}</div>
                </td>
                <td className="n warning">{formatWhole(l.count)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </Panel>
  );
}
