// A sankey of two columns: how much goes from each place on the left to each on the right.

export interface Flow {
  from: string;
  to: string;
  value: number;
}

export interface Bar {
  name: string;
  value: number;
  y: number;
  h: number;
}

export interface Ribbon extends Flow {
  y0: number;
  y1: number;
  h: number;
}

const gap = 10;

/** Places bars and ribbons in a height; ribbons leave and arrive in the order of the bars, so that few cross. */
export function sankeyOf(flows: Flow[], height: number): { left: Bar[]; right: Bar[]; ribbons: Ribbon[] } {
  const real = flows.filter((f) => f.value > 0);
  const left = bars(real, (f) => f.from, height);
  const right = bars(real, (f) => f.to, height);
  const next = { from: new Map(left.map((b) => [b.name, b.y])), to: new Map(right.map((b) => [b.name, b.y])) };
  const place = (list: Bar[], name: string) => list.findIndex((b) => b.name === name);
  const sorted = [...real].sort(
    (a, b) => place(left, a.from) - place(left, b.from) || place(right, a.to) - place(right, b.to),
  );
  const arrive = new Map<Flow, number>();
  for (const f of [...real].sort(
    (a, b) => place(right, a.to) - place(right, b.to) || place(left, a.from) - place(left, b.from),
  )) {
    const bar = right[place(right, f.to)];
    const y = next.to.get(f.to) ?? 0;
    arrive.set(f, y);
    next.to.set(f.to, y + (bar.h * f.value) / bar.value);
  }
  const ribbons = sorted.map((f) => {
    const bar = left[place(left, f.from)];
    const y0 = next.from.get(f.from) ?? 0;
    const h = (bar.h * f.value) / bar.value;
    next.from.set(f.from, y0 + h);
    return { ...f, y0, y1: arrive.get(f) ?? 0, h };
  });
  return { left, right, ribbons };
}

function bars(flows: Flow[], key: (f: Flow) => string, height: number): Bar[] {
  const sums = new Map<string, number>();
  for (const f of flows) sums.set(key(f), (sums.get(key(f)) ?? 0) + f.value);
  const list = [...sums].sort((a, b) => b[1] - a[1] || a[0].localeCompare(b[0]));
  const all = list.reduce((a, [, v]) => a + v, 0);
  const room = Math.max(1, height - gap * (list.length - 1));
  let y = 0;
  return list.map(([name, value]) => {
    const bar = { name, value, y, h: (room * value) / all };
    y += bar.h + gap;
    return bar;
  });
}
