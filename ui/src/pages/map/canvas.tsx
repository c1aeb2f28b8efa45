import { type PointerEvent, useCallback, useEffect, useImperativeHandle, useLayoutEffect, useRef } from "react";
import { useTheme } from "../../state/prefs";
import { draw, type Marks, type Palette, palette, type View } from "./draw";
import type { Point } from "./layered";
import { boundsOf, hit, type Scene } from "./scene";

export interface CanvasHandle {
  fit(): void;
  zoom(by: number): void;
  centre(id: string): void;
  png(): Promise<Blob | null>;
}

interface Props {
  scene: Scene;
  marks: Marks;
  handle: React.Ref<CanvasHandle>;
  onSelect(id: string): void;
  onHover(id: string): void;
  onOpen(id: string): void;
  onMove(id: string, to: Point): void;
}

/** Frames that were drawn since the page was loaded: what tests count. */
export const frames = { drawn: 0 };

/** The map on a canvas: drag to pan, wheel or pinch to zoom, drag a node to pin it. */
export function MapCanvas({ scene, marks, handle, onSelect, onHover, onOpen, onMove }: Props) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const view = useRef<View | null>(null);
  const latest = useRef({ scene, marks });
  latest.current = { scene, marks };
  const colours = useRef(palette());
  const picture = useRef<Picture | null>(null);
  const frame = useRef(0);
  const busy = useRef(0);
  const theme = useTheme();

  const paint = useCallback(() => {
    if (frame.current) return;
    frame.current = requestAnimationFrame(() => {
      frame.current = 0;
      const c = canvas.current;
      const context = c?.getContext("2d");
      if (!c || !context) return;
      view.current ??= fitted(latest.current.scene, c);
      const size = { w: c.clientWidth, h: c.clientHeight, dpr: c.width / Math.max(1, c.clientWidth) };
      const moving = performance.now() < busy.current;
      if (latest.current.scene.boxes) {
        draw(context, latest.current.scene, view.current, size, latest.current.marks, colours.current);
      } else {
        const { current } = picture;
        const fresh =
          current &&
          (moving || current.view === view.current) &&
          current.of === latest.current.scene &&
          current.marks === latest.current.marks;
        if (!fresh)
          picture.current = take(
            latest.current.scene,
            latest.current.marks,
            view.current,
            size,
            colours.current,
            current?.canvas,
          );
        show(context, picture.current as Picture, view.current, size);
      }
      frames.drawn++;
      c.dataset.frames = String(frames.drawn);
      if (moving) setTimeout(paint, 160);
    });
  }, []);

  const change = useCallback(
    (make: (v: View) => View) => {
      if (!view.current) return;
      view.current = make(view.current);
      busy.current = performance.now() + 140;
      paint();
    },
    [paint],
  );
  const zoomAt = useCallback(
    (at: Point, by: number) =>
      change((v) => {
        const k = Math.min(4, Math.max(0.04, v.k * by));
        return { k, x: at.x - ((at.x - v.x) * k) / v.k, y: at.y - ((at.y - v.y) * k) / v.k };
      }),
    [change],
  );

  useImperativeHandle(handle, () => ({
    fit: () => change(() => fitted(latest.current.scene, canvas.current as HTMLCanvasElement)),
    zoom: (by) => zoomAt({ x: (canvas.current?.clientWidth ?? 0) / 2, y: (canvas.current?.clientHeight ?? 0) / 2 }, by),
    centre: (id) => {
      const n = latest.current.scene.nodes.find((node) => node.id === id);
      const c = canvas.current;
      if (n && c)
        change((v) => ({
          k: Math.max(v.k, 0.8),
          x: c.clientWidth / 2 - n.x * Math.max(v.k, 0.8),
          y: c.clientHeight / 2 - n.y * Math.max(v.k, 0.8),
        }));
    },
    png: () => pngOf(latest.current.scene, latest.current.marks),
  }));

  // biome-ignore lint/correctness/useExhaustiveDependencies: another theme has other colours
  useEffect(() => {
    colours.current = palette();
    void document.fonts.ready.then(() => {
      colours.current = palette();
      paint();
    });
  }, [theme, paint]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: these are what a new picture is made of
  useLayoutEffect(paint, [scene, marks, paint]);
  useEffect(() => {
    const c = canvas.current as HTMLCanvasElement;
    const resized = new ResizeObserver(() => {
      const dpr = Math.min(2, devicePixelRatio || 1);
      c.width = Math.round(c.clientWidth * dpr);
      c.height = Math.round(c.clientHeight * dpr);
      paint();
    });
    resized.observe(c);
    const wheel = (e: WheelEvent) => {
      e.preventDefault();
      if (e.ctrlKey || Math.abs(e.deltaY) >= Math.abs(e.deltaX))
        zoomAt({ x: e.offsetX, y: e.offsetY }, Math.exp(-e.deltaY * (e.ctrlKey ? 0.01 : 0.0016)));
      else change((v) => ({ ...v, x: v.x - e.deltaX }));
    };
    c.addEventListener("wheel", wheel, { passive: false });
    return () => {
      resized.disconnect();
      c.removeEventListener("wheel", wheel);
    };
  }, [paint, zoomAt, change]);

  const grip = useGrip({ view, latest, change, zoomAt, onSelect, onHover, onMove });
  return (
    <canvas
      ref={canvas}
      className="map-canvas"
      role="img"
      aria-label={`Map of ${scene.nodes.length} nodes and ${scene.edges.length} edges; the list beside it has the same`}
      onDoubleClick={(e) => {
        const found = hitAt(e.nativeEvent.offsetX, e.nativeEvent.offsetY, view.current, scene);
        if (found.node) onOpen(found.node.id);
      }}
      {...grip}
    />
  );
}

/** A picture of dots with a margin around what is seen. While the map moves it is moved along, and drawn anew after. */
interface Picture {
  canvas: OffscreenCanvas;
  view: View;
  of: Scene;
  marks: Marks;
}

interface Size {
  w: number;
  h: number;
  dpr: number;
}

const margin = 260;

function take(scene: Scene, marks: Marks, view: View, size: Size, colours: Palette, used?: OffscreenCanvas): Picture {
  const [w, h] = [size.w + 2 * margin, size.h + 2 * margin];
  const canvas = used ?? new OffscreenCanvas(1, 1);
  if (canvas.width !== Math.round(w * size.dpr) || canvas.height !== Math.round(h * size.dpr)) {
    canvas.width = Math.round(w * size.dpr);
    canvas.height = Math.round(h * size.dpr);
  }
  const context = canvas.getContext("2d");
  const moved = { ...view, x: view.x + margin, y: view.y + margin };
  if (context) draw(context, scene, moved, { w, h, dpr: size.dpr }, marks, colours);
  return { canvas, view, of: scene, marks };
}

function show(c: CanvasRenderingContext2D, p: Picture, view: View, size: Size): void {
  const scale = view.k / p.view.k;
  const x = view.x - (p.view.x + margin) * scale;
  const y = view.y - (p.view.y + margin) * scale;
  c.setTransform(1, 0, 0, 1, 0, 0);
  c.clearRect(0, 0, size.w * size.dpr, size.h * size.dpr);
  // Whole pixels are copied, which costs a part of what blending between them does.
  c.imageSmoothingEnabled = scale !== 1;
  if (scale === 1) c.drawImage(p.canvas, Math.round(x * size.dpr), Math.round(y * size.dpr));
  else c.drawImage(p.canvas, x * size.dpr, y * size.dpr, p.canvas.width * scale, p.canvas.height * scale);
}

function hitAt(x: number, y: number, v: View | null, scene: Scene) {
  if (!v) return {};
  return hit(scene, { x: (x - v.x) / v.k, y: (y - v.y) / v.k }, 7 / v.k);
}

interface Grip {
  view: React.RefObject<View | null>;
  latest: React.RefObject<{ scene: Scene; marks: Marks }>;
  change(make: (v: View) => View): void;
  zoomAt(at: Point, by: number): void;
  onSelect(id: string): void;
  onHover(id: string): void;
  onMove(id: string, to: Point): void;
}

/** The pointers: one pans or moves a node, two zoom. */
function useGrip({ view, latest, change, zoomAt, onSelect, onHover, onMove }: Grip) {
  const held = useRef(new Map<number, Point>());
  const drag = useRef<{ id: string; far: boolean; off: Point } | null>(null);
  const place = (e: PointerEvent) => ({ x: e.nativeEvent.offsetX, y: e.nativeEvent.offsetY });
  return {
    onPointerDown: (e: PointerEvent) => {
      e.currentTarget.setPointerCapture(e.pointerId);
      const at = place(e);
      held.current.set(e.pointerId, at);
      const v = view.current as View;
      const { node } = hitAt(at.x, at.y, v, latest.current.scene);
      drag.current = {
        id: held.current.size === 1 && node ? node.id : "",
        far: false,
        off: node ? { x: (at.x - v.x) / v.k - node.x, y: (at.y - v.y) / v.k - node.y } : { x: 0, y: 0 },
      };
    },
    onPointerMove: (e: PointerEvent) => {
      const at = place(e);
      const before = held.current.get(e.pointerId);
      if (!before || !drag.current) {
        const found = hitAt(at.x, at.y, view.current, latest.current.scene);
        onHover(found.node?.id ?? found.edge?.id ?? "");
        (e.currentTarget as HTMLElement).style.cursor = found.node || found.edge ? "pointer" : "grab";
        return;
      }
      if (!drag.current.far && Math.hypot(at.x - before.x, at.y - before.y) < 4) return;
      drag.current.far = true;
      held.current.set(e.pointerId, at);
      const other = [...held.current].find(([id]) => id !== e.pointerId)?.[1];
      if (other) {
        zoomAt(
          { x: (at.x + other.x) / 2, y: (at.y + other.y) / 2 },
          Math.hypot(at.x - other.x, at.y - other.y) / Math.max(1, Math.hypot(before.x - other.x, before.y - other.y)),
        );
        return;
      }
      const v = view.current as View;
      if (drag.current.id)
        onMove(drag.current.id, {
          x: (at.x - v.x) / v.k - drag.current.off.x,
          y: (at.y - v.y) / v.k - drag.current.off.y,
        });
      else change((now) => ({ ...now, x: now.x + at.x - before.x, y: now.y + at.y - before.y }));
    },
    onPointerUp: (e: PointerEvent) => {
      held.current.delete(e.pointerId);
      if (drag.current && !drag.current.far) {
        const at = place(e);
        const found = hitAt(at.x, at.y, view.current, latest.current.scene);
        onSelect(found.node?.id ?? found.edge?.id ?? "");
      }
      drag.current = null;
    },
    onPointerLeave: () => onHover(""),
  };
}

function fitted(scene: Scene, c: HTMLCanvasElement): View {
  const b = boundsOf(scene);
  const border = 36;
  const k = Math.min(
    1.15,
    (c.clientWidth - 2 * border) / Math.max(1, b.w),
    (c.clientHeight - 2 * border) / Math.max(1, b.h),
  );
  return {
    k: Math.max(0.04, k),
    x: c.clientWidth / 2 - (b.x + b.w / 2) * k,
    y: c.clientHeight / 2 - (b.y + b.h / 2) * k,
  };
}

/** All of the map at twice its size, as far as a canvas may be large. */
async function pngOf(scene: Scene, marks: Marks): Promise<Blob | null> {
  const b = boundsOf(scene);
  const k = Math.min(2, 8000 / (b.w + 100), 8000 / (b.h + 100));
  const c = document.createElement("canvas");
  c.width = Math.ceil((b.w + 100) * k);
  c.height = Math.ceil((b.h + 100) * k);
  const context = c.getContext("2d");
  if (!context) return null;
  const p = palette();
  draw(
    context,
    scene,
    { k, x: (50 - b.x) * k, y: (50 - b.y) * k },
    { w: c.width, h: c.height, dpr: 1 },
    { ...marks, lit: new Set() },
    p,
  );
  context.globalCompositeOperation = "destination-over";
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.fillStyle = p.bg;
  context.fillRect(0, 0, c.width, c.height);
  return new Promise((done) => c.toBlob(done));
}
