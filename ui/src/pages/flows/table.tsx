// The table of connections: only the rows in sight are in the document.
import { useVirtualizer } from "@tanstack/react-virtual";
import { ArrowDown, ArrowUp, Ban, Filter } from "lucide-react";
import { type CSSProperties, type KeyboardEvent, memo, useCallback, useEffect, useRef, useState } from "react";
import type { Row } from "../../api/block";
import type { Fields } from "../../api/hooks";
import { formatValue } from "../../format/format";
import { ConnectionPath } from "../../kit/endpoint";
import { isTyping } from "../../kit/keys";
import { Menu, MenuItem, MenuLine } from "../../kit/kit";
import { parsed, remember, useRemembered } from "../../state/prefs";
import { align, moved, pathColumn, widthOf } from "./columns";

export interface TableProps {
  rows: Row[];
  fields: Fields;
  columns: string[];
  order: string;
  selected: string;
  keyOf(row: Row): string;
  onColumns(columns: string[]): void;
  onOrder(order: string): void;
  onSelect(row: Row): void;
  onOnly(field: string, row: Row, not: boolean): void;
  footer?: React.ReactNode;
}

const rowHeight = 30;

export function FlowTable(props: TableProps) {
  const { rows, fields, columns, selected, keyOf, onSelect } = props;
  const scroller = useRef<HTMLDivElement>(null);
  const widths = parsed<Record<string, number>>(useRemembered("widths"), {});
  const room = useRoom(scroller);
  const sizes = columns.map((c) => widthOf(c, fields.get(c), widths, room));
  const stretch = columns.indexOf(pathColumn);
  const template = sizes.map((s, i) => (i === stretch ? `minmax(${s}px, 1fr)` : `${s}px`)).join(" ");
  const width = sizes.reduce((a, b) => a + b, 0);
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => rowHeight,
    overscan: 10,
    useFlushSync: false,
  });
  const [active, setActive] = useState(-1);
  const move = useCallback(
    (by: number) => {
      const next = Math.max(0, Math.min(rows.length - 1, active + by));
      setActive(next);
      virtual.scrollToIndex(next);
    },
    [active, rows.length, virtual],
  );
  const key = (e: KeyboardEvent | globalThis.KeyboardEvent) => {
    const page = Math.floor((scroller.current?.clientHeight ?? 300) / rowHeight) - 2;
    const steps: Record<string, number> = {
      ArrowDown: 1,
      j: 1,
      ArrowUp: -1,
      k: -1,
      PageDown: page,
      PageUp: -page,
      Home: -rows.length,
      End: rows.length,
    };
    if (e.key in steps) {
      e.preventDefault();
      move(steps[e.key]);
    } else if (e.key === "Enter" && rows[active]) onSelect(rows[active]);
  };
  useEffect(() => {
    const global = (e: globalThis.KeyboardEvent) => {
      if ((e.key === "j" || e.key === "k") && !isTyping(e) && !scroller.current?.contains(e.target as Node)) {
        scroller.current?.focus();
        key(e);
      }
    };
    addEventListener("keydown", global);
    return () => removeEventListener("keydown", global);
  });
  return (
    <div
      ref={scroller}
      className="flow-table"
      role="grid"
      aria-label="Connections"
      aria-rowcount={rows.length + 1}
      aria-colcount={columns.length}
      aria-activedescendant={active >= 0 ? `row-${active}` : undefined}
      tabIndex={0}
      onKeyDown={key}
      style={{ "--columns": template, "--width": `${width}px` } as CSSProperties}
    >
      <HeadRow {...props} sizes={sizes} widths={widths} />
      <div role="rowgroup" style={{ height: virtual.getTotalSize(), position: "relative", minWidth: width }}>
        {virtual.getVirtualItems().map((item) => {
          const row = rows[item.index];
          return (
            <Line
              key={item.key}
              row={row}
              index={item.index}
              top={item.start}
              columns={columns}
              fields={fields}
              active={item.index === active}
              selected={selected !== "" && keyOf(row) === selected}
              onOpen={(at, opened) => {
                setActive(at);
                onSelect(opened);
              }}
              onOnly={props.onOnly}
            />
          );
        })}
      </div>
      {props.footer && (
        <div role="row" aria-rowindex={rows.length + 2}>
          <div role="gridcell" className="table-foot">
            {props.footer}
          </div>
        </div>
      )}
    </div>
  );
}

/** How wide what is seen of the table is. */
function useRoom(of: React.RefObject<HTMLElement | null>): number {
  const [room, setRoom] = useState(1000);
  useEffect(() => {
    if (!of.current) return;
    const watcher = new ResizeObserver(([entry]) => setRoom(entry.contentRect.width));
    watcher.observe(of.current);
    return () => watcher.disconnect();
  }, [of]);
  return room;
}

type HeadRowProps = TableProps & { sizes: number[]; widths: Record<string, number> };

/** The headings; scrolling leaves them alone. */
const HeadRow = memo(
  function HeadRow({ sizes, widths, ...props }: HeadRowProps) {
    return (
      <div className="row head" role="row" aria-rowindex={1}>
        {props.columns.map((c, i) => (
          <Head
            key={c}
            name={c}
            index={i}
            width={sizes[i]}
            {...props}
            onWidth={(w) => remember("widths", JSON.stringify({ ...widths, [c]: w }))}
          />
        ))}
      </div>
    );
  },
  (a, b) =>
    a.columns === b.columns && a.order === b.order && a.fields === b.fields && a.sizes.join() === b.sizes.join(),
);

interface LineProps {
  row: Row;
  index: number;
  top: number;
  columns: string[];
  fields: Fields;
  active: boolean;
  selected: boolean;
  onOpen(index: number, row: Row): void;
  onOnly(field: string, row: Row, not: boolean): void;
}

const Line = memo(
  function Line({ row, index, top, columns, fields, active, selected, onOpen, onOnly }: LineProps) {
    const [hovered, setHovered] = useState("");
    return (
      <div
        id={`row-${index}`}
        className="row"
        role="row"
        aria-rowindex={index + 2}
        aria-selected={selected}
        data-active={active}
        style={{ transform: `translateY(${top}px)` }}
        onClick={() => onOpen(index, row)}
        onMouseOver={(e) =>
          setHovered(((e.target as Element).closest("[data-field]") as HTMLElement | null)?.dataset.field ?? "")
        }
        onMouseLeave={() => setHovered("")}
        onFocus={() => {}}
      >
        {columns.map((c) => (
          <Cell key={c} name={c} row={row} fields={fields} hovered={hovered === c} onOnly={onOnly} />
        ))}
      </div>
    );
  },
  (a, b) =>
    a.row === b.row &&
    a.index === b.index &&
    a.top === b.top &&
    a.columns === b.columns &&
    a.active === b.active &&
    a.selected === b.selected &&
    a.fields === b.fields,
);

function Cell({
  name,
  row,
  fields,
  hovered,
  onOnly,
}: {
  name: string;
  row: Row;
  fields: Fields;
  hovered: boolean;
  onOnly: LineProps["onOnly"];
}) {
  if (name === pathColumn) {
    return (
      <div className="cell" role="gridcell">
        <ConnectionPath row={row} />
      </div>
    );
  }
  const field = fields.get(name);
  const text = formatValue(row.value(name), field ?? { kind: "", unit: "" });
  const only = (not: boolean) => (e: React.MouseEvent) => {
    e.stopPropagation();
    onOnly(name, row, not);
  };
  return (
    <div
      className={`cell ${field && ["addr", "flags"].includes(field.kind) ? "mono" : ""}`}
      role="gridcell"
      data-field={name}
      style={{ textAlign: align(field) }}
      title={text}
    >
      {text}
      {hovered && text !== "" && field?.kind !== "time" && (
        <span className="cell-tools">
          <button
            type="button"
            tabIndex={-1}
            title="Only this"
            aria-label={`Only ${name} ${text}`}
            onClick={only(false)}
          >
            <Filter size={12} />
          </button>
          <button type="button" tabIndex={-1} title="Not this" aria-label={`Not ${name} ${text}`} onClick={only(true)}>
            <Ban size={12} />
          </button>
        </span>
      )}
    </div>
  );
}

type HeadProps = TableProps & { name: string; index: number; width: number; onWidth(width: number): void };

function Head({ name, index, width, fields, columns, order, onColumns, onOrder, onWidth }: HeadProps) {
  const field = fields.get(name);
  const sorted = order === name ? "ascending" : order === `-${name}` ? "descending" : "none";
  const sortable = name !== pathColumn;
  const put = (by: number) => onColumns(moved(columns, name, index + by));
  return (
    <div
      className="cell"
      role="columnheader"
      tabIndex={-1}
      aria-sort={sorted}
      draggable
      onDragStart={(e) => e.dataTransfer.setData("text/column", name)}
      onDragOver={(e) => e.preventDefault()}
      onDrop={(e) => {
        const other = e.dataTransfer.getData("text/column");
        if (columns.includes(other)) onColumns(moved(columns, other, index));
      }}
      style={{ justifyContent: align(field) === "right" ? "flex-end" : "flex-start" }}
    >
      <Menu
        align="start"
        trigger={
          <button
            type="button"
            className="head-button"
            title={field ? `${field.doc} (${name})` : "client → dialled ⇒ backend"}
          >
            <span>{name}</span>
            {sorted === "ascending" && <ArrowUp size={12} />}
            {sorted === "descending" && <ArrowDown size={12} />}
          </button>
        }
      >
        {sortable && (
          <>
            <MenuItem on={sorted === "descending"} onSelect={() => onOrder(sorted === "descending" ? "" : `-${name}`)}>
              Largest first
            </MenuItem>
            <MenuItem on={sorted === "ascending"} onSelect={() => onOrder(sorted === "ascending" ? "" : name)}>
              Smallest first
            </MenuItem>
            <MenuLine />
          </>
        )}
        <MenuItem onSelect={() => put(-1)}>Move left</MenuItem>
        <MenuItem onSelect={() => put(1)}>Move right</MenuItem>
        <MenuItem onSelect={() => onColumns(columns.filter((c) => c !== name))}>Hide</MenuItem>
      </Menu>
      <Resizer width={width} onWidth={onWidth} name={name} />
    </div>
  );
}

function Resizer({ name, width, onWidth }: { name: string; width: number; onWidth(width: number): void }) {
  const start = useRef<{ x: number; width: number } | null>(null);
  const key = (e: KeyboardEvent) => {
    const by = { ArrowLeft: -16, ArrowRight: 16 }[e.key];
    if (!by) return;
    e.preventDefault();
    e.stopPropagation();
    onWidth(Math.max(40, width + by));
  };
  return (
    <hr
      className="resizer"
      aria-orientation="vertical"
      aria-label={`Width of ${name}`}
      aria-valuenow={Math.round(width)}
      aria-valuemin={40}
      aria-valuemax={1200}
      tabIndex={0}
      onKeyDown={key}
      onPointerDown={(e) => {
        e.preventDefault();
        e.stopPropagation();
        e.currentTarget.setPointerCapture(e.pointerId);
        start.current = { x: e.clientX, width };
      }}
      onPointerMove={(e) =>
        start.current && onWidth(Math.max(40, Math.round(start.current.width + e.clientX - start.current.x)))
      }
      onPointerUp={() => {
        start.current = null;
      }}
    />
  );
}
