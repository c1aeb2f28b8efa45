// Endpoints, as every page names them.
import type { Row } from "../api/block";

/** What names an endpoint in a row: from the most to the least telling of what the row has. */
export function nameOf(row: Row, end: string): string {
  for (const member of ["name", "workload.name", "service", "subnet"]) {
    const text = row.text(`${end}.${member}`);
    if (text) return text;
  }
  return row.text(`${end}.addr`) || row.text(`${end}.kind`) || "unknown";
}

export function portOf(row: Row, end: string): string {
  const port = row.number(`${end}.port`);
  return port ? `:${port}` : "";
}

/** Whether somebody else answered than was dialled. */
export function isTranslated(row: Row): boolean {
  return row.text("nat").includes("dnat");
}

/** A pair of workloads in a row of groups, by way of the Service. */
export function EdgeName({ row }: { row: Row }) {
  const service = row.text("dst.kind") === "Service" ? row.text("dst.service") : "";
  return (
    <>
      <span className="end client">{groupName(row, "src")}</span>
      <span className="arrow">→</span>
      {service && (
        <>
          <span className="end dialled">{service}</span>
          <span className="arrow">⇒</span>
        </>
      )}
      <span className="end backend">{groupName(row, "backend")}</span>
    </>
  );
}

const kindNames: Record<string, string> = {
  Node: "nodes",
  External: "outside",
  Service: "nobody",
  Special: "special",
  "": "unknown",
};

export function groupName(row: Row, end: string): string {
  const kind = row.text(`${end}.kind`);
  return row.text(`${end}.workload.name`) || row.text(`${end}.addr`) || (kindNames[kind] ?? kind);
}

/** How many characters at a name's end are always shown: the part of a pod's name that its workload's others do not have. */
const tail = 5;

/** A name that gives way in its middle, so that the pods of one workload stay apart. */
export function MiddleName({ text }: { text: string }) {
  if (text.length <= 2 * tail) return <span className="middle short">{text}</span>;
  return (
    <span className="middle" title={text}>
      <span className="head">{text.slice(0, -tail)}</span>
      <span>{text.slice(-tail)}</span>
    </span>
  );
}

/** client → dialled ⇒ backend, in the colours of the ends. */
export function ConnectionPath({ row, ports = true }: { row: Row; ports?: boolean }) {
  const end = (e: string, look: string) => (
    <span
      className={`end ${look}`}
      title={[row.text(`${e}.namespace`), nameOf(row, e)].filter(Boolean).join("/") + portOf(row, e)}
    >
      <MiddleName text={nameOf(row, e)} />
      {ports && e !== "src" && <span className="port">{portOf(row, e)}</span>}
    </span>
  );
  return (
    <span className="path">
      {end("src", "client")}
      <span className="arrow">→</span>
      {end("dst", "dialled")}
      {isTranslated(row) && (
        <>
          <span className="arrow">⇒</span>
          {end("backend", "backend")}
        </>
      )}
    </span>
  );
}
