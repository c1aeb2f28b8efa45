import { Ban, Check, Pencil, Trash2, X } from "lucide-react";
import type { Fields } from "../api/hooks";
import { formatNumber } from "../format/format";
import { Menu, MenuItem, MenuLine } from "../kit/kit";
import { type Chip, printChip } from "./cel";
import { wordOf } from "./suggest";

const words: Record<string, string> = {
  "==": "is",
  "!=": "is not",
  ">": ">",
  ">=": "≥",
  "<": "<",
  "<=": "≤",
  in: "is one of",
  contains: "contains",
  startsWith: "begins with",
  endsWith: "ends with",
  matches: "matches",
  cidr: "in",
  known: "is known",
  is: "",
};
const negated: Record<string, string> = { in: "is none of", known: "is unknown", is: "is not so", cidr: "not in" };

/** The colour of the end that a field belongs to. */
export function endOf(field: string): string {
  const end = field.split(".")[0];
  return { src: "client", dst: "dialled", backend: "backend", snat: "snat" }[end] ?? "";
}

function valuesOf(chip: Extract<Chip, { kind: "condition" }>, fields: Fields): string {
  const f = fields.get(chip.field);
  const one = (v: string | number | boolean) =>
    typeof v === "number" && f && ["bytes", "duration"].includes(f.kind) ? formatNumber(v, f) : String(v) || "nothing";
  return chip.values.map(one).join(", ");
}

interface Props {
  chip: Chip;
  /** What the condition is called instead of being spelt out. */
  title?: string;
  fields: Fields;
  onEdit(): void;
  onChange(chip: Chip): void;
  onRemove(): void;
}

export function FilterChip({ chip, title, fields, onEdit, onChange, onRemove }: Props) {
  const text = printChip(chip);
  const inverted = invert(chip);
  return (
    <span className="chip" data-not={isNegative(chip)}>
      <Menu
        align="start"
        trigger={
          <button type="button" className="body" title={text}>
            <span className="sr">Condition </span>
            {title ? <span className="titled">{title}</span> : <ChipText chip={chip} fields={fields} />}
          </button>
        }
      >
        <MenuItem icon={<Pencil size={14} />} onSelect={onEdit}>
          Edit
        </MenuItem>
        {inverted && (
          <MenuItem
            icon={isNegative(chip) ? <Check size={14} /> : <Ban size={14} />}
            onSelect={() => onChange(inverted)}
          >
            {isNegative(chip) ? "Only these" : "All but these"}
          </MenuItem>
        )}
        <MenuLine />
        <MenuItem icon={<Trash2 size={14} />} onSelect={onRemove}>
          Remove
        </MenuItem>
      </Menu>
      <button type="button" className="x" aria-label={`Remove ${text}`} onClick={onRemove}>
        <X size={13} />
      </button>
    </span>
  );
}

function ChipText({ chip, fields }: { chip: Chip; fields: Fields }) {
  if (chip.kind === "text") {
    const word = wordOf(chip.text, fields);
    if (!word) return <span className="mono">{chip.text}</span>;
    return (
      <>
        <span className="value">{word}</span>
        <span className="op">anywhere</span>
      </>
    );
  }
  return (
    <>
      <span className={endOf(chip.field)}>{chip.field}</span>
      <span className="op">{(chip.not && (negated[chip.op] ?? `not ${words[chip.op]}`)) || words[chip.op]}</span>
      {chip.values.length > 0 && <span className="value">{valuesOf(chip, fields)}</span>}
    </>
  );
}

function isNegative(chip: Chip): boolean {
  return chip.kind === "condition" && (chip.not || chip.op === "!=");
}

/** The opposite of a condition; text has none that is simple. */
export function invert(chip: Chip): Chip | undefined {
  if (chip.kind === "text") return undefined;
  const opposite = { "==": "!=", "!=": "==", "<": ">=", ">=": "<", ">": "<=", "<=": ">" }[chip.op as string];
  return opposite ? { ...chip, op: opposite as typeof chip.op } : { ...chip, not: !chip.not };
}
