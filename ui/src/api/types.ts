/** What a field of a dataset is, as GET api/v1/fields tells it. The console knows fields by this alone. */
export interface Field {
  id: number;
  name: string;
  group: string;
  kind: string;
  unit: string;
  doc: string;
  example: string;
  origin: string;
  role: "key" | "measure" | "attribute";
  cardinality: "low" | "medium" | "high";
  /** The field that takes this one's place when client and server are exchanged. */
  mirror?: string;
  shown: boolean;
  group_by: boolean;
  measures: string[];
  values?: { value: string; doc: string }[];
}

export interface FieldTable {
  dataset: string;
  measures: string[];
  fields: Field[];
}

export type Value = string | number | boolean | string[] | null;

export interface Column {
  field: string;
  kind: string;
  unit: string;
  estimated: boolean;
  values: Value[];
}

/** An answer: columns of equal length. */
export interface Block {
  columns: Column[];
  rows: number;
  truncated: boolean;
  /** Which bound cut it. */
  cut?: string;
  /** "primary" if each connection was counted once. */
  scope?: string;
  /** The rows that add up what the limit cut. */
  other?: number[];
  losses: Record<string, number>;
}

/** The body of POST api/v1/query. */
export interface Request {
  dataset?: string;
  last?: string;
  from?: string;
  to?: string;
  filter?: string;
  fields?: string[];
  group_by?: string[];
  measures?: string[];
  step?: string;
  order?: string;
  limit?: number;
  other?: boolean;
  compare?: string;
}

export interface Loss {
  reason: string;
  count: number;
  detail?: string;
}

export interface Feature {
  name: string;
  state: string;
  means?: string;
  detail?: string;
}

export interface AgentStatus {
  node: string;
  origin: string;
  version: string;
  address?: string;
  other_fields?: boolean;
  connected: boolean;
  since: string;
  last_seen: string;
  batches: number;
  rows: number;
  dropped: number;
  losses: Loss[] | null;
  features: Feature[] | null;
}

/** What sends records on to another program; counts are rows. */
export interface Exporter {
  name: string;
  kind: string;
  address: string;
  state: "waiting" | "live" | "degraded";
  detail?: string;
  sent: number;
  refused: number;
  lost: number;
  failures: number;
  queued_bytes: number;
}

export interface Status {
  /** When the server told this, by its clock in milliseconds. */
  told: number;
  version: string;
  readiness: { ready: boolean; reasons?: string[] };
  started: string;
  agents: AgentStatus[] | null;
  stored: number;
  repeated: number;
  waiting: number;
  subscribers: number;
  subscribers_lost: number;
  losses: Loss[] | null;
  store: { rows: number; bytes: number; oldest?: string; notes?: string[] };
  queries: { running: number; limit: number; refused: number };
  exports: { running: number; limit: number; refused: number };
  exporters?: Exporter[];
}

export type Severity = "critical" | "warning" | "info";

export interface Finding {
  rule: string;
  severity: Severity;
  subject: { kind: string; src?: Record<string, Value>; dst?: Record<string, Value>; [key: string]: unknown };
  sentence: string;
  value: number;
  baseline: number | null;
  unit: string;
  since: string | null;
  until?: string;
  /** What else was found, and follows from it. */
  explains?: { rule: string; edges: number }[];
  /** The records behind it, in CEL. */
  filter: string;
  dataset: string;
}

export interface Health {
  from: string;
  to: string;
  baseline_from: string;
  baseline_to: string;
  findings: Finding[] | null;
  checked?: { edges: number; nodes: number; rules: number };
  notes?: string[] | null;
  losses: Record<string, number>;
}
