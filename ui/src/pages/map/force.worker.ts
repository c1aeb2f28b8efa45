// The layout of graphs that are too large for layers, away from the page's thread.
import {
  forceCollide,
  forceLink,
  forceManyBody,
  forceSimulation,
  forceX,
  forceY,
  type SimulationNodeDatum,
} from "d3-force";

export interface ForceJob {
  ids: string[];
  links: [number, number][];
  /** Where nodes were, x and y in turn; NaN where one is new. */
  was: Float64Array;
}

const ticks = 160;

self.onmessage = (e: MessageEvent<ForceJob>) => {
  const { ids, links, was } = e.data;
  const known = was.some((v) => !Number.isNaN(v));
  const nodes: SimulationNodeDatum[] = ids.map((_, i) =>
    Number.isNaN(was[2 * i]) ? {} : { x: was[2 * i], y: was[2 * i + 1] },
  );
  const degree = new Array(ids.length).fill(0);
  for (const [a, b] of links) {
    degree[a]++;
    degree[b]++;
  }
  const simulation = forceSimulation(nodes)
    .force(
      "link",
      forceLink(links.map(([source, target]) => ({ source, target })))
        .distance(46)
        .strength(
          (l) =>
            0.7 /
            Math.min(
              degree[(l.source as SimulationNodeDatum).index ?? 0],
              degree[(l.target as SimulationNodeDatum).index ?? 0],
            ),
        ),
    )
    .force("charge", forceManyBody().strength(-90).theta(1.1).distanceMax(700))
    .force("x", forceX().strength(0.04))
    .force("y", forceY().strength(0.055))
    .force("collide", forceCollide(11))
    .alpha(known ? 0.3 : 1)
    .stop();
  for (let i = 1; i <= ticks; i++) {
    simulation.tick();
    if (i % 40 === 0) self.postMessage(Float64Array.from(nodes.flatMap((n) => [n.x ?? 0, n.y ?? 0])));
  }
};
