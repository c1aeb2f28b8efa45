// The gravest findings.
import { CircleCheck } from "lucide-react";
import type { ApiError } from "../../api/client";
import { useHealth } from "../../api/hooks";
import { Empty, Panel, Problem, Skeleton } from "../../kit/kit";
import { useLocation } from "../../state/url";
import { FindingLine, ranked } from "../health/finding";
import "../health/finding.css";

export function Findings() {
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
