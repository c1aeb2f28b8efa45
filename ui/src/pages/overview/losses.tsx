// What Seine itself lost.
import type { Status } from "../../api/types";
import { formatWhole } from "../../format/format";
import { Panel } from "../../kit/kit";
import { useLocation } from "../../state/url";

export function Losses({ status }: { status?: Status }) {
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
