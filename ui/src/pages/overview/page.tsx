import { useEffect, useState } from "react";
import { numbersOf, sum } from "../../api/block";
import { type Fields, useBlock, useFields, useStatus } from "../../api/hooks";
import { useFilter } from "../../filter/bar";
import { Panel, Problem, Skeleton } from "../../kit/kit";
import { useWindow } from "../../state/clock";
import { compareOf, formatDuration, periodParams, recordedSeconds, stepOf } from "../../state/period";
import { useLocation } from "../../state/url";
import { Findings } from "./findings";
import { Losses } from "./losses";
import { Nothing } from "./nothing";
import { changesOf, isNamed, pairKeys, pairsOf } from "./pairs";
import { MapLink, Pairs } from "./talkers";
import { Tiles } from "./tiles";
import { Traffic } from "./traffic";
import { Translation } from "./translation";
import { Verdict } from "./verdict";
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
