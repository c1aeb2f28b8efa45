// One record: its addresses as a path, and all that is known of it.
import { useQuery } from "@tanstack/react-query";
import { ArrowDown, Ban, Filter, X } from "lucide-react";
import { type Row, rowsOf } from "../../api/block";
import * as client from "../../api/client";
import { type Fields, useBlock } from "../../api/hooks";
import type { Field, Value } from "../../api/types";
import { both, onlyThis, quote } from "../../filter/cel";
import { counted, formatBytes, formatTime, formatValue } from "../../format/format";
import { isTranslated } from "../../kit/endpoint";
import { IconButton, Problem, Skeleton, Tip } from "../../kit/kit";
import { keyFields } from "./columns";

export function keyOf(row: Row): string {
  return keyFields.map((f) => row.text(f)).join("~");
}

/** The filter of one record out of its key; null for a key that is none. */
export function recordFilter(key: string, fields: Fields): { filter: string; from: string; to: string } | null {
  const parts = key.split("~");
  const end = Date.parse(parts[0]);
  if (parts.length !== keyFields.length || Number.isNaN(end)) return null;
  const conditions = keyFields.slice(1).map((name, i) => condition(name, parts[i + 1], fields));
  return {
    filter: [`end == timestamp(${quote(parts[0])})`, ...conditions].filter(Boolean).join(" && "),
    from: new Date(end - 1000).toISOString(),
    to: new Date(end + 1000).toISOString(),
  };
}

function condition(name: string, text: string, fields: Fields): string {
  if (text === "") return "";
  const number = ["port", "id", "count"].includes(fields.get(name)?.kind ?? "");
  return `${name} == ${number ? Number(text) : quote(text)}`;
}

/** The filter of all records of a row's connection. */
export function connectionFilter(row: Row, fields: Fields): string {
  return keyFields
    .slice(2)
    .map((name) => condition(name, row.text(name), fields))
    .filter(Boolean)
    .join(" && ");
}

interface Props {
  id: string;
  fields: Fields;
  onClose(): void;
  onOnly(field: string, row: Row, not: boolean): void;
  onFilter(filter: string): void;
}

export function Details({ id, fields, onClose, onOnly, onFilter }: Props) {
  const asked = recordFilter(id, fields);
  const { data, error, isPending } = useQuery({
    queryKey: ["record", id],
    // Both nodes' records have the key's tuple: "node" in it tells them apart, so the scope must not be cut to primary ones.
    queryFn: ({ signal }) =>
      client.query({ ...asked, filter: `${asked?.filter} && (primary || !primary)`, limit: 1 }, signal),
    enabled: asked !== null,
  });
  const row = rowsOf(data)[0];
  return (
    <aside className="details panel" aria-label="Details of the connection">
      <header>
        <h2>Connection</h2>
        <div className="end">
          <IconButton label="Close (Esc)" onClick={onClose}>
            <X size={16} />
          </IconButton>
        </div>
      </header>
      <div className="details-body">
        {error ? <Problem error={error} /> : null}
        {!asked && <p className="quiet">The link to this record is damaged.</p>}
        {asked && isPending && <Skeleton height={240} />}
        {data && !row && (
          <p className="quiet">This record is not there any more: it is older than what the store keeps.</p>
        )}
        {row && <Record row={row} fields={fields} onOnly={onOnly} onFilter={onFilter} />}
      </div>
    </aside>
  );
}

function Record({ row, fields, onOnly, onFilter }: { row: Row; fields: Fields } & Pick<Props, "onOnly" | "onFilter">) {
  const groups = Map.groupBy(
    fields.list.filter((f) => hasValue(row.value(f.name))),
    (f) => f.group,
  );
  return (
    <>
      <PathDrawing row={row} />
      <Failure row={row} fields={fields} onOnly={onOnly} />
      <Volume row={row} />
      <OtherRecords row={row} fields={fields} onFilter={onFilter} />
      {[...groups].map(([group, list]) => (
        <section key={group}>
          <h3>{group}</h3>
          <dl>
            {list.map((f) => (
              <FieldLine key={f.name} field={f} row={row} onOnly={onOnly} />
            ))}
          </dl>
        </section>
      ))}
    </>
  );
}

/** What went wrong, as fields of which each is there only if it did. */
const failures: Record<string, (row: Row) => boolean> = {
  "tcp.connect": (row) => !["", "ok"].includes(row.text("tcp.connect")),
  drop_reason: (row) => row.text("drop_reason") !== "",
  drop_function: (row) => row.text("drop_function") !== "",
  "total.drop_packets": (row) => row.number("total.drop_packets") > 0,
  "tcp.resets": (row) => row.number("tcp.resets") > 0,
  "tcp.reset_by": (row) => row.text("tcp.reset_by") !== "",
};

export function failuresIn(row: Row, fields: Fields): Field[] {
  return fields.list.filter((f) => failures[f.name]?.(row));
}

function Failure({ row, fields, onOnly }: { row: Row; fields: Fields } & Pick<Props, "onOnly">) {
  const list = failuresIn(row, fields);
  if (list.length === 0) return null;
  return (
    <section className="failure">
      <h3>What went wrong</h3>
      <dl>
        {list.map((f) => (
          <FieldLine key={f.name} field={f} row={row} onOnly={onOnly} />
        ))}
      </dl>
    </section>
  );
}

function hasValue(v: Value | undefined): boolean {
  return v !== null && v !== undefined && v !== "" && !(Array.isArray(v) && v.length === 0);
}

/** A time to the microsecond, as the record has it. */
const moment = (text: string) => text.replace("T", " ").replace(/(\.\d{6})\d+/, "$1");

function FieldLine({ field, row, onOnly }: { field: Field; row: Row; onOnly: Props["onOnly"] }) {
  const text = field.kind === "time" ? moment(row.text(field.name)) : formatValue(row.value(field.name), field);
  return (
    <div className="line">
      <Tip text={field.doc}>
        <dt>{field.name}</dt>
      </Tip>
      <dd className={field.kind === "time" ? "mono time" : ["addr", "flags"].includes(field.kind) ? "mono" : ""}>
        {text}
        {field.kind !== "time" && (
          <span className="tools">
            <button
              type="button"
              title="Only this"
              aria-label={`Only ${field.name} ${text}`}
              onClick={() => onOnly(field.name, row, false)}
            >
              <Filter size={12} />
            </button>
            <button
              type="button"
              title="Not this"
              aria-label={`Not ${field.name} ${text}`}
              onClick={() => onOnly(field.name, row, true)}
            >
              <Ban size={12} />
            </button>
          </span>
        )}
      </dd>
    </div>
  );
}

/** Up to four addresses, and what rewrote one into the other. */
function PathDrawing({ row }: { row: Row }) {
  const translated = isTranslated(row);
  const masked = row.text("nat").includes("snat");
  const zone = row.number("ct_zone");
  const where = [row.text("node") && `on ${row.text("node")}`, zone ? `conntrack zone ${zone}` : ""]
    .filter(Boolean)
    .join(", ");
  return (
    <div className="path-drawing">
      <Stop row={row} end="src" look="client" part="Client" />
      <Hop text={translated || masked ? "dials" : "speaks to"} />
      <Stop row={row} end="dst" look="dialled" part={translated ? "Dialled" : "Server"} />
      {masked && (
        <>
          <Hop double look="snat" text={`client rewritten (SNAT) ${where}`} />
          <div className="stop" data-look="snat">
            <span className="role">Client, as the backend sees it</span>
            <span className="mono">
              {row.text("snat.addr")}:{row.number("snat.port")}
            </span>
          </div>
        </>
      )}
      {translated && (
        <>
          <Hop
            double
            text={`destination rewritten (DNAT) ${where}`}
            sub={row.text("nat_source") && `learnt by ${row.text("nat_source")}`}
          />
          <Stop row={row} end="backend" look="backend" part="Backend, which answered" />
        </>
      )}
    </div>
  );
}

function Stop({ row, end, look, part }: { row: Row; end: string; look: string; part: string }) {
  const get = (m: string) => row.text(`${end}.${m}`);
  const port = row.number(`${end}.port`);
  const address = get("addr").includes(":") && port ? `[${get("addr")}]` : get("addr");
  const place = [
    get("workload.name") &&
      get("workload.name") !== get("name") &&
      `${get("workload.kind") || "workload"} ${get("workload.name")}`,
    get("node") && get("node") !== get("name") && `on ${get("node")}`,
    get("zone"),
    get("process.name") && `process ${get("process.name")}`,
  ];
  return (
    <div className="stop" data-look={look}>
      <span className="role">
        {part}
        {get("kind") && <span className="kind">{get("kind")}</span>}
      </span>
      <strong>
        {get("namespace") && <span className="ns">{get("namespace")}/</span>}
        {get("name") || get("subnet") || get("dns_name") || (get("kind") ? "" : "unknown")}
      </strong>
      <span className="mono">
        {address}
        {port ? `:${port}` : ""}
      </span>
      <span className="quiet">{place.filter(Boolean).join(" · ")}</span>
    </div>
  );
}

function Hop({ text, sub, double, look = "" }: { text: string; sub?: string; double?: boolean; look?: string }) {
  return (
    <div className={`hop ${look}`} data-double={double ?? false}>
      <ArrowDown size={15} aria-hidden />
      <span>
        {text}
        {sub && <span className="quiet"> · {sub}</span>}
      </span>
    </div>
  );
}

function Volume({ row }: { row: Row }) {
  const sides = [
    { name: "to the server", bytes: row.number("fwd.bytes"), packets: row.number("fwd.packets"), look: "client" },
    { name: "to the client", bytes: row.number("rev.bytes"), packets: row.number("rev.packets"), look: "backend" },
  ];
  const most = Math.max(1, ...sides.map((s) => s.bytes));
  return (
    <section className="volume">
      {sides.map((s) => (
        <div key={s.name}>
          <span className="quiet">{s.name}</span>
          <span className="bar">
            <i style={{ width: `${(s.bytes / most) * 100}%`, background: `var(--${s.look})` }} />
          </span>
          <b>{formatBytes(s.bytes)}</b>
          <span className="quiet">{counted(s.packets, "packet")}</span>
        </div>
      ))}
    </section>
  );
}

/** The other records of the connection: one for each interval and node. */
function OtherRecords({ row, fields, onFilter }: { row: Row; fields: Fields; onFilter(filter: string): void }) {
  const filter = both(connectionFilter(row, fields), "(primary || !primary)");
  const { data } = useBlock({ fields: ["end", "node", "reporter", "total.bytes", "primary"], limit: 6 }, { filter });
  const others = rowsOf(data).filter(
    (r) => !(r.text("end") === row.text("end") && r.text("node") === row.text("node")),
  );
  if (others.length === 0) return null;
  return (
    <section>
      <h3>
        Its other records
        <button
          type="button"
          className="link"
          onClick={() => onFilter(onlyThis(connectionFilter(row, fields), "proto", row.text("proto")))}
        >
          Show all
        </button>
      </h3>
      <table className="list">
        <tbody>
          {others.slice(0, 5).map((r) => (
            <tr key={r.text("end") + r.text("node")}>
              <td className="mono">{formatTime(r.text("end"))}</td>
              <td>
                {r.text("node")} <span className="quiet">{r.text("reporter")}</span>
              </td>
              <td className="n">{formatBytes(r.number("total.bytes"))}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
