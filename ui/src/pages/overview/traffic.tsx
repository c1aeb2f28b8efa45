// Bytes a second, over those of the period before.
import type { Block } from "../../api/types";
import { bucketsOf } from "../../chart/buckets";
import { Series } from "../../chart/series";
import { useWindow } from "../../state/clock";

export function Traffic({ block, step, comparable }: { block?: Block; step: number; comparable: boolean }) {
  const w = useWindow();
  const now = bucketsOf(block, w, step, "sum(total.bytes)");
  const before = bucketsOf(block, w, step, "previous(sum(total.bytes))");
  const rate = (values: (number | null)[]) => values.map((v) => (v === null ? null : v / (step / 1000)));
  const drawn = [{ label: "now", values: rate(now.lines[0].values), colour: "series-1", look: "area" as const }];
  const earlier = {
    label: "before",
    values: rate(before.lines[0].values),
    colour: "series-7",
    look: "dashed" as const,
  };
  return (
    <Series
      label="Bytes a second"
      times={now.times}
      step={step / 1000}
      as={{ kind: "bytes", unit: "bytes/s" }}
      height={196}
      series={comparable ? [...drawn, earlier] : drawn}
    />
  );
}
