// Pairs by their bytes: top talkers, and what changed most.
import { both } from "../../filter/cel";
import { formatBytes } from "../../format/format";
import { MiddleName } from "../../kit/endpoint";
import { Skeleton } from "../../kit/kit";
import { useLocation } from "../../state/url";
import { Change } from "./change";
import type { Pair } from "./pairs";

export function MapLink() {
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

export function Pairs({
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
