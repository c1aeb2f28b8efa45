// The numbers at the top.
import { numbersOf, rowsOf, sum } from "../../api/block";
import type { Fields } from "../../api/hooks";
import type { Block, Status } from "../../api/types";
import { both } from "../../filter/cel";
import { formatBytes, formatCount, formatShare, formatWhole } from "../../format/format";
import { Tile } from "../../kit/tile";
import { useLocation } from "../../state/url";
import { Change } from "./change";

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

export function Tiles({
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
