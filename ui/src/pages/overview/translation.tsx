// How many records were translated, and how that was learnt.
import { rowsOf, sum } from "../../api/block";
import type { Block } from "../../api/types";
import { both } from "../../filter/cel";
import { formatShare } from "../../format/format";
import { Panel } from "../../kit/kit";
import { useLocation } from "../../state/url";

const natWords: Record<string, string> = {
  none: "Not translated",
  dnat: "Dialled address (DNAT)",
  snat: "Client's address (SNAT)",
  "dnat+snat": "Both",
};

export function Translation({ block }: { block?: Block }) {
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
