// The map as an SVG file of its own.
import { formatNumber, type Measured } from "../../format/format";
import { middle, type Palette } from "./draw";
import { boundsOf, type Scene, type SceneEdge } from "./scene";

export function escapeXml(text: string): string {
  const names: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };
  // Control characters are not allowed in XML at all.
  return text.replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f]/g, "").replace(/[&<>"']/g, (c) => names[c]);
}

export function svgOf(scene: Scene, p: Palette, as: Measured): string {
  const b = boundsOf(scene);
  const margin = 50;
  const box = [b.x - margin, b.y - margin, b.w + 2 * margin, b.h + 2 * margin].map((n) => n.toFixed(1));
  const edges = scene.edges.map((e) => edge(e, p, as, scene.boxes)).join("\n");
  const nodes = scene.nodes
    .map((n) => {
      const shape = scene.boxes
        ? `<rect x="${(n.x - n.w / 2).toFixed(1)}" y="${(n.y - n.h / 2).toFixed(1)}" width="${n.w}" height="${n.h}" rx="${n.kind === "service" ? n.h / 2 : 7}" fill="${p.surface}" stroke="${p.kinds[n.kind]}"/>`
        : `<circle cx="${n.x.toFixed(1)}" cy="${n.y.toFixed(1)}" r="${(n.w / 2).toFixed(1)}" fill="${p.kinds[n.kind]}"/>`;
      const x = (scene.boxes ? n.x - n.w / 2 + 16 : n.x + n.w / 2 + 4).toFixed(1);
      const place =
        n.place && scene.boxes && n.kind !== "service"
          ? `<text x="${x}" y="${(n.y + 13).toFixed(1)}" font-size="11" fill="${p.ink3}">${escapeXml(n.place)}</text>`
          : "";
      return `<g><title>${escapeXml([n.place, n.label].filter(Boolean).join("/"))}</title>${shape}<text x="${x}" y="${(n.y + (place ? -2 : 4)).toFixed(1)}" fill="${p.ink}">${escapeXml(n.label)}</text>${place}</g>`;
    })
    .join("\n");
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="${box.join(" ")}" width="${box[2]}" height="${box[3]}" font-family="Geist, system-ui, sans-serif" font-size="12.5">
<rect x="${box[0]}" y="${box[1]}" width="${box[2]}" height="${box[3]}" fill="${p.bg}"/>
${edges}
${nodes}
</svg>
`;
}

function edge(e: SceneEdge, p: Palette, as: Measured, boxes: boolean): string {
  const point = (q: { x: number; y: number }) => `${q.x.toFixed(1)} ${q.y.toFixed(1)}`;
  const [start, ...rest] = e.curve;
  const d = rest.length === 1 ? `M${point(start)}L${point(rest[0])}` : `M${point(start)}C${rest.map(point).join(" ")}`;
  const at = middle(e);
  const text =
    boxes && e.value
      ? `<text x="${at.x.toFixed(1)}" y="${(at.y + 3).toFixed(1)}" font-size="10.5" text-anchor="middle" fill="${p.ink2}">${escapeXml(formatNumber(e.value, as))}</text>`
      : "";
  return `<path d="${d}" fill="none" stroke="${p.tones[e.tone]}" stroke-width="${e.width.toFixed(1)}" opacity="0.85"/>${text}`;
}
