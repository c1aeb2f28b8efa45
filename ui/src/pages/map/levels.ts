// What a node of the map stands for, and how it is found again in the records.
import type { Row } from "../../api/block";
import type { Fields } from "../../api/hooks";
import { quote } from "../../filter/cel";

export interface Level {
  name: string;
  label: string;
  /** The members of an endpoint that name a node: the last one is its name, those before it where it is. */
  members: string[];
  /** Whether Services stand between clients and backends. */
  services: boolean;
}

const all: Level[] = [
  { name: "namespace", label: "Namespaces", members: ["namespace"], services: false },
  { name: "workload", label: "Workloads", members: ["namespace", "workload.name"], services: true },
  { name: "service", label: "Services", members: ["namespace", "service"], services: false },
  { name: "pod", label: "Pods", members: ["namespace", "name"], services: true },
  { name: "node", label: "Nodes", members: ["node"], services: false },
  { name: "zone", label: "Zones", members: ["zone"], services: false },
  { name: "region", label: "Regions", members: ["region"], services: false },
  { name: "address", label: "Addresses", members: ["addr"], services: false },
  { name: "cluster", label: "Clusters", members: ["cluster"], services: false },
];

/** Levels whose fields the server has. */
export function levelsOf(fields: Fields): Level[] {
  return all.filter((l) => l.members.every((m) => fields.has(`src.${m}`, `backend.${m}`)));
}

export type NodeKind = "workload" | "pod" | "service" | "node" | "external" | "unknown" | "place";

/** A node's identity: what it is called, and the values that select it, member by member. */
export interface Identity {
  id: string;
  kind: NodeKind;
  label: string;
  /** The namespace, or another place. */
  place: string;
  members: [string, string][];
}

const kinds: Record<string, NodeKind> = {
  Pod: "workload",
  Service: "service",
  Node: "node",
  External: "external",
};

/** Who an end of a row is at a level. */
export function identify(row: Row, end: string, level: Level): Identity {
  const get = (m: string) => row.text(`${end}.${m}`);
  const name = get(level.members[level.members.length - 1]);
  if (name && !(level.name === "address" && isLinkLocal(name))) {
    const members = level.members.map((m): [string, string] => [m, get(m)]);
    const place = level.members.length > 1 ? get(level.members[0]) : "";
    const kind =
      level.members.length === 1
        ? "place"
        : level.name === "pod" && get("kind") === "Pod"
          ? "pod"
          : (kinds[get("kind")] ?? "workload");
    return { id: `${level.name}:${members.map(([, v]) => v).join("/")}`, kind, label: name, place, members };
  }
  return unnamed(get("kind"), get("namespace"), level);
}

/** Addresses of one link, and groups: fe80::/10 and 169.254.0.0/16 (RFC 4291, 3927), ff00::/8 and 224.0.0.0/4. */
export function isLinkLocal(address: string): boolean {
  return /^(fe[89ab][0-9a-f]:|169\.254\.|ff[0-9a-f]{2}:|2(2[4-9]|3\d)\.)/i.test(address);
}

/** Neighbour discovery, which every IPv6 interface speaks all the time (RFC 4861, 4; RFC 3810, 5). */
export const discovery = 'proto == "ICMPv6" && icmp.type in [130, 131, 132, 133, 134, 135, 136, 137, 143]';

/** Ends without a name at the level are told apart by what they are, and by namespace. */
function unnamed(kind: string, namespace: string, level: Level): Identity {
  const labels: Record<string, string> = {
    Node: "Nodes",
    External: "Outside",
    Pod: "Pods",
    Service: "Services",
    Special: "Special addresses",
    "": "Unknown",
  };
  const members: [string, string][] = [
    ["kind", kind],
    ...(namespace ? [["namespace", namespace] as [string, string]] : []),
    [level.members[level.members.length - 1], ""],
  ];
  return {
    id: `${kind || "unknown"}:${namespace}`,
    kind: kinds[kind] ?? "unknown",
    label: labels[kind] ?? kind,
    place: namespace,
    members,
  };
}

export function serviceOf(row: Row): Identity {
  const members: [string, string][] = [
    ["kind", "Service"],
    ["namespace", row.text("dst.namespace")],
    ["service", row.text("dst.service")],
  ];
  const name = row.text("dst.service");
  return {
    id: `service/${row.text("dst.namespace")}/${name}`,
    kind: "service",
    label: name || "Service",
    place: row.text("dst.namespace"),
    members,
  };
}

/** The keys that rows are grouped by. */
export function keysOf(level: Level, services: boolean): string[] {
  const end = (e: string) => [`${e}.kind`, `${e}.namespace`, ...level.members.map((m) => `${e}.${m}`)];
  const dialled = services ? ["dst.kind", "dst.namespace", "dst.service"] : [];
  return [...new Set([...end("src"), ...dialled, ...end("backend")])];
}

/** The condition that an end is a node. */
export function endFilter(end: string, node: Identity): string {
  return node.members.map(([m, v]) => `${end}.${m} == ${quote(v)}`).join(" && ");
}
