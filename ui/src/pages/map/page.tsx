import { Image, Maximize, Minus, Plus, Search, Shapes, Waypoints } from "lucide-react";
import { useEffect, useMemo, useRef, useState } from "react";
import { type Fields, useBlock, useFields } from "../../api/hooks";
import { useFilter } from "../../filter/bar";
import { both } from "../../filter/cel";
import { isTyping } from "../../kit/keys";
import { Button, Choice, Empty, IconButton, Menu, MenuItem, Problem, Skeleton } from "../../kit/kit";
import { toast } from "../../kit/toast";
import { periodParams } from "../../state/period";
import { useTheme } from "../../state/prefs";
import { useLocation } from "../../state/url";
import { type CanvasHandle, MapCanvas } from "./canvas";
import { palette } from "./draw";
import { expandedId, type Graph, graphOf, neighbours, openedFilter } from "./graph";
import { History } from "./history";
import type { Point } from "./layered";
import { mostBoxes, useLayout } from "./layout";
import { discovery, keysOf, levelsOf } from "./levels";
import { measuresOf } from "./measures";
import { MapPanel } from "./panel";
import { sceneOf } from "./scene";
import { svgOf } from "./svg";
import "../flows/flows.css";
import "./map.css";

/** Groups that the server sends at most: beyond, the map says what was left out. */
const mostGroups = 8000;

export default function MapPage() {
  const { fields, error } = useFields();
  if (error) return <Problem error={error} />;
  if (fields.list.length === 0) return <Skeleton height={400} />;
  return <Page fields={fields} />;
}

const listOf = (text: string | null) => new Set((text ?? "").split(",").filter(Boolean));
const listed = (set: Set<string>) => [...set].sort().join(",") || null;

/** What the URL says of the map. */
function useSettings(fields: Fields) {
  const { params } = useLocation();
  const levels = useMemo(() => levelsOf(fields), [fields]);
  const measures = useMemo(() => measuresOf(fields), [fields]);
  const level =
    levels.find((l) => l.name === params.get("by")) ?? levels.find((l) => l.name === "workload") ?? levels[0];
  const measure = measures.find((m) => m.name === params.get("measure")) ?? measures[0];
  const [fold, open, pin] = ["fold", "open", "pin"].map((n) => params.get(n));
  return {
    levels,
    measures,
    level,
    measure,
    services: level.services && params.get("services") !== "0" && fields.has("dst.service"),
    folded: useMemo(() => listOf(fold), [fold]),
    opened: useMemo(() => (level.name === "workload" ? listOf(open) : new Set<string>()), [open, level]),
    pins: useMemo(() => pinsOf(pin), [pin]),
    selected: params.get("sel") ?? "",
    near: params.get("near") === "1",
    icmp: fields.has("icmp.type"),
    unnamed: params.get("unnamed") === "1",
    chosen: params.has("by"),
    find: params.get("find") ?? "",
  };
}

type Settings = ReturnType<typeof useSettings>;

/** Pinned nodes and where: "id@x@y", separated by semicolons. */
function pinsOf(text: string | null): Map<string, Point> {
  const pins = new Map<string, Point>();
  for (const part of (text ?? "").split(";")) {
    const [id, x, y] = part.split("@");
    if (id && Number.isFinite(Number(x)) && Number.isFinite(Number(y))) pins.set(id, { x: Number(x), y: Number(y) });
  }
  return pins;
}

const pinText = (pins: Map<string, Point>) =>
  [...pins].map(([id, p]) => `${id}@${Math.round(p.x)}@${Math.round(p.y)}`).join(";") || null;

/** The whole graph: one answer, and a finer one for what is expanded. */
function useGraph(s: Settings) {
  const { filter: given } = useFilter();
  const filter = s.unnamed || !s.icmp ? given : both(given, `!(${discovery})`);
  const pods = s.levels.find((l) => l.name === "pod");
  const opened = pods ? [...s.opened] : [];
  const finer = openedFilter(opened);
  const ask = (keys: string[]) => ({
    group_by: [...new Set([...keys, ...(s.measure.keys ?? [])])],
    measures: [...new Set(["sum(total.bytes)", "count()", ...s.measure.ask])],
    order: "-sum(total.bytes)",
    limit: mostGroups,
  });
  const keys = keysOf(s.level, s.services);
  const coarse = useBlock(ask(keys), { filter: finer ? both(filter, `!(${finer})`) : filter });
  const fine = useBlock(finer && pods ? ask([...keys, ...keysOf(pods, s.services)]) : null, {
    filter: both(filter, finer),
  });
  // biome-ignore lint/correctness/useExhaustiveDependencies: of the settings only these make another graph
  const graph = useMemo(
    () =>
      graphOf([coarse.data, finer ? fine.data : undefined], { ...s, opened: pods && { ids: s.opened, level: pods } }),
    [coarse.data, fine.data, finer, s.level, s.services, s.measure, s.folded, s.opened, s.unnamed, pods],
  );
  return { ...coarse, graph };
}

function Page({ fields }: { fields: Fields }) {
  const { set } = useLocation();
  const { filter, setFilter } = useFilter();
  const s = useSettings(fields);
  const { graph: whole, data, error, isPending, refetch } = useGraph(s);
  const graph = useMemo(
    () => (s.near && s.selected ? neighbours(whole, nodeOf(s.selected, whole)) : whole),
    [whole, s.near, s.selected],
  );
  const boxes = graph.nodes.length <= mostBoxes;
  const canvas = useRef<CanvasHandle>(null);
  const select = (id: string) => set({ sel: id || null, near: id ? (s.near ? "1" : null) : null }, true);
  useMapKeys(canvas, () => select(""));
  useAddresses(s, whole);
  return (
    <>
      <Toolbar s={s} graph={graph} canvas={canvas} />
      {error ? <Problem error={error} filter={filter} retry={refetch} /> : null}
      {data?.truncated && (
        <p className="note">
          The largest {mostGroups} pairs are shown; a filter or a coarser grouping shows the others.
        </p>
      )}
      <div className="map-body">
        {isPending ? (
          <Skeleton height={500} />
        ) : graph.nodes.length === 0 ? (
          <Empty
            icon={<Waypoints size={26} />}
            title="Nothing to draw"
            actions={
              <>
                {filter && (
                  <Button look="primary" onClick={() => setFilter("")}>
                    Clear the filter
                  </Button>
                )}
                <Button onClick={() => set(periodParams({ last: "1d" }))}>Look at the last day</Button>
              </>
            }
          >
            {filter ? "No connection of this period matches the filter." : "No connection was recorded in this period."}
          </Empty>
        ) : (
          <>
            <Picture s={s} graph={graph} boxes={boxes} canvas={canvas} onSelect={select} />
            <MapPanel
              graph={graph}
              fields={fields}
              measure={s.measure}
              selected={s.selected}
              near={s.near}
              pinned={s.pins.has(s.selected)}
              canOpen={s.level.name === "workload" && s.levels.some((l) => l.name === "pod")}
              opened={s.opened}
              onSelect={select}
              onNear={(on) => set({ near: on ? "1" : null })}
              onPin={(on) =>
                set(
                  { pin: pinText(changedPins(s.pins, s.selected, on ? (picture.place(s.selected) ?? null) : null)) },
                  true,
                )
              }
              onOpen={(id, on) => set({ open: listed(toggled(s.opened, id, on)), sel: null, near: null })}
              unnamed={s.unnamed}
              onUnnamed={(on) => set({ unnamed: on ? "1" : null }, true)}
              onFold={(ns, on) => set({ fold: listed(toggled(s.folded, ns, on)), sel: null, near: null })}
            />
          </>
        )}
      </div>
      <History />
    </>
  );
}

/** Where nothing has a name, as on a machine without Kubernetes, nodes are addresses. */
function useAddresses(s: Settings, graph: Graph): void {
  const { set } = useLocation();
  const nameless = !s.chosen && graph.nodes.length === 0 && graph.hidden > 0;
  useEffect(() => {
    if (nameless) set({ by: "address" }, true);
  }, [nameless, set]);
}

function toggled(list: Set<string>, one: string, on: boolean): Set<string> {
  const next = new Set(list);
  if (on) next.add(one);
  else next.delete(one);
  return next;
}

function changedPins(pins: Map<string, Point>, id: string, to: Point | null): Map<string, Point> {
  const next = new Map(pins);
  if (to) next.set(id, to);
  else next.delete(id);
  return next;
}

/** The node whose neighbours are meant: of an edge, where it begins. */
function nodeOf(id: string, graph: Graph): string {
  return graph.edges.find((e) => e.id === id)?.from ?? id;
}

interface PictureProps {
  s: Settings;
  graph: Graph;
  boxes: boolean;
  canvas: React.RefObject<CanvasHandle | null>;
  onSelect(id: string): void;
}

function Picture({ s, graph, boxes, canvas, onSelect }: PictureProps) {
  const { set } = useLocation();
  const drawing = useLayout(graph, boxes);
  const [hovered, setHovered] = useState("");
  const [dragged, setDragged] = useState<Map<string, Point>>(new Map());
  const moved = useMemo(() => {
    const all = new Map(s.pins);
    for (const [id, p] of dragged) all.set(id, p);
    return all;
  }, [s.pins, dragged]);
  const scene = useMemo(
    () => sceneOf(graph, drawing, s.measure, boxes, moved),
    [graph, drawing, s.measure, boxes, moved],
  );
  const marks = useMemo(() => {
    const word = s.find.toLowerCase();
    const found = new Set(
      word ? graph.nodes.filter((n) => `${n.place}/${n.label}`.toLowerCase().includes(word)).map((n) => n.id) : [],
    );
    return {
      selected: s.selected,
      hovered,
      lit: litBy(graph, s.selected || hovered, found),
      found,
      pinned: new Set(moved.keys()),
      labels: true,
      as: s.measure.as,
    };
  }, [graph, s.selected, s.find, s.measure, hovered, moved]);
  useFit(
    canvas,
    graph.nodes.length > 0 && drawing.places.size > 0
      ? `${boxes}|${[...drawing.places.keys()].length}|${s.near}|${s.level.name}`
      : "",
  );
  useKeepPins(dragged, () => set({ pin: pinText(new Map([...s.pins, ...dragged])) }, true));
  usePicture(scene, s);
  return (
    <MapCanvas
      handle={canvas}
      scene={scene}
      marks={marks}
      onSelect={onSelect}
      onHover={setHovered}
      onMove={(id, to) => setDragged((d) => new Map(d).set(id, to))}
      onOpen={(id) => {
        const node = graph.nodes.find((n) => n.id === id);
        const open = node && expandedId(node);
        if (open && node.kind === "workload" && s.level.name === "workload")
          set({ open: listed(toggled(s.opened, open, true)), sel: null });
      }}
    />
  );
}

/** What stands out: the chosen one with its neighbours, or what was searched for. */
function litBy(graph: Graph, id: string, found: Set<string>): Set<string> {
  const lit = new Set<string>(found);
  for (const e of graph.edges) {
    const part = e.id === id || e.from === id || e.to === id;
    if (part) for (const one of [e.id, e.from, e.to]) lit.add(one);
  }
  if (id) lit.add(id);
  return lit;
}

/** Fits the picture when it has other nodes than before. */
function useFit(canvas: React.RefObject<CanvasHandle | null>, shape: string): void {
  // biome-ignore lint/correctness/useExhaustiveDependencies: a new shape is what it waits for
  useEffect(() => {
    if (shape) requestAnimationFrame(() => canvas.current?.fit());
  }, [shape]);
}

/** Writes where nodes were dragged to into the URL, once they rest. */
function useKeepPins(dragged: Map<string, Point>, keep: () => void): void {
  const latest = useRef(keep);
  latest.current = keep;
  useEffect(() => {
    if (dragged.size === 0) return;
    const timer = setTimeout(() => latest.current(), 400);
    return () => clearTimeout(timer);
  }, [dragged]);
}

/** What toolbar and panel ask of the picture that is shown. */
const picture = { svg: () => "", place: (_id: string): Point | undefined => undefined };

function usePicture(scene: ReturnType<typeof sceneOf>, s: Settings): void {
  picture.svg = () => svgOf(scene, palette(), s.measure.as);
  picture.place = (id) => scene.nodes.find((n) => n.id === id);
}

function Toolbar({ s, graph, canvas }: { s: Settings; graph: Graph; canvas: React.RefObject<CanvasHandle | null> }) {
  const { set } = useLocation();
  useTheme();
  const first = () => {
    const word = s.find.toLowerCase();
    const node =
      graph.nodes.find((n) => n.label.toLowerCase() === word) ??
      graph.nodes.find((n) => `${n.place}/${n.label}`.toLowerCase().includes(word));
    if (node) {
      set({ sel: node.id }, true);
      canvas.current?.centre(node.id);
    } else toast(`Nothing here is called “${s.find}”`);
  };
  return (
    <div className="page-head">
      <h1>Map</h1>
      <Choice
        label="Nodes are"
        value={s.level.name}
        options={s.levels.map((l) => ({ value: l.name, label: l.label }))}
        onChange={(by) => set({ by: by === "workload" ? null : by, sel: null, near: null, open: null, pin: null })}
      />
      <Choice
        label="Edges by"
        value={s.measure.name}
        options={s.measures.map((m) => ({ value: m.name, label: m.label }))}
        onChange={(m) => set({ measure: m === "bytes" ? null : m }, true)}
      />
      {s.level.services && (
        <Button pressed={s.services} onClick={() => set({ services: s.services ? "0" : null })}>
          <Shapes size={14} />
          Services
        </Button>
      )}
      <div className="end">
        <search className="map-search">
          <Search size={14} aria-hidden />
          <input
            className="field"
            aria-label="Find a node"
            placeholder="Find a node"
            value={s.find}
            onChange={(e) => set({ find: e.target.value || null }, true)}
            onKeyDown={(e) => e.key === "Enter" && first()}
          />
        </search>
        <IconButton label="Closer (+)" look="" onClick={() => canvas.current?.zoom(1.3)}>
          <Plus size={15} />
        </IconButton>
        <IconButton label="Farther (−)" look="" onClick={() => canvas.current?.zoom(1 / 1.3)}>
          <Minus size={15} />
        </IconButton>
        <IconButton label="All of it (0)" look="" onClick={() => canvas.current?.fit()}>
          <Maximize size={15} />
        </IconButton>
        <Menu
          trigger={
            <Button aria-label="Save the picture">
              <Image size={15} />
              Save
            </Button>
          }
        >
          <MenuItem onSelect={() => save(new Blob([picture.svg()], { type: "image/svg+xml" }), "svg")}>SVG</MenuItem>
          <MenuItem onSelect={async () => save(await canvas.current?.png(), "png")}>PNG</MenuItem>
        </Menu>
      </div>
      {(s.folded.size > 0 || s.opened.size > 0) && (
        <div className="note">
          {s.folded.size > 0 && <span>Folded: {[...s.folded].join(", ")}</span>}
          {s.opened.size > 0 && <span>Shown as pods: {[...s.opened].join(", ")}</span>}
          <Button look="small" onClick={() => set({ fold: null, open: null })}>
            Undo
          </Button>
        </div>
      )}
    </div>
  );
}

function save(blob: Blob | null | undefined, ending: string): void {
  if (!blob) {
    toast("The browser could not make the picture");
    return;
  }
  const a = document.createElement("a");
  a.href = URL.createObjectURL(blob);
  a.download = `seine-map.${ending}`;
  a.click();
  setTimeout(() => URL.revokeObjectURL(a.href), 10_000);
}

function useMapKeys(canvas: React.RefObject<CanvasHandle | null>, close: () => void): void {
  useEffect(() => {
    const key = (e: KeyboardEvent) => {
      if (isTyping(e)) return;
      if (e.key === "+" || e.key === "=") canvas.current?.zoom(1.3);
      else if (e.key === "-") canvas.current?.zoom(1 / 1.3);
      else if (e.key === "0") canvas.current?.fit();
      else if (e.key === "Escape") close();
    };
    addEventListener("keydown", key);
    return () => removeEventListener("keydown", key);
  });
}
