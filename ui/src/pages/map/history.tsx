import { Radio } from "lucide-react";
import { useMemo } from "react";
import { useBlock } from "../../api/hooks";
import { bucketsOf } from "../../chart/buckets";
import { formatTime } from "../../format/format";
import { Button } from "../../kit/kit";
import { refresh, useNow, useWindow } from "../../state/clock";
import { formatDuration, periodParams, refreshOf, stepOf } from "../../state/period";
import { useLocation } from "../../state/url";

/** How many times the window's length the slider reaches back. */
const reach = 12;

/** The past of the map: a slider that moves the window over it, and the way back to now. */
export function History() {
  const { params, set } = useLocation();
  const now = useNow();
  const w = useWindow();
  const length = w.to - w.from;
  const span = useMemo(() => ({ from: now - reach * length, to: now }), [now, length]);
  const step = stepOf(span, 150);
  const { data } = useBlock({
    measures: ["sum(total.bytes)"],
    step: formatDuration(step),
    limit: 2000,
    from: new Date(span.from).toISOString(),
    to: new Date(span.to).toISOString(),
  });
  const values = bucketsOf(data, span, step, "sum(total.bytes)").lines[0].values.map((v) => v ?? 0);
  const most = Math.max(1, ...values);
  const at = Math.min(1, Math.max(0, (w.to - span.from) / (span.to - span.from)));
  const slots = reach * 10;
  const move = (slot: number) => {
    if (slot >= slots) return set({ ...periodParams({ last: formatDuration(length) }), refresh: null }, true);
    const to = span.from + (slot / slots) * (span.to - span.from);
    set({ ...periodParams({ from: to - length, to }), refresh: "off" }, true);
  };
  const live = refreshOf(params, "map") !== "off" && "last" in w.period;
  return (
    <div className="history panel">
      <Button
        look="small"
        pressed={live}
        onClick={() => {
          set({ ...periodParams({ last: formatDuration(length) }), refresh: live ? "off" : "5s" });
          refresh();
        }}
      >
        <Radio size={13} />
        Live
      </Button>
      <div className="track">
        <svg viewBox={`0 0 ${values.length} 20`} preserveAspectRatio="none" aria-hidden="true">
          {values.map((v, i) => (
            <rect key={i} x={i + 0.12} width={0.76} y={20 - (19 * v) / most} height={(19 * v) / most} />
          ))}
          <rect
            className="window"
            x={values.length * Math.max(0, at - 1 / reach)}
            width={values.length / reach}
            y={0}
            height={20}
          />
        </svg>
        <input
          type="range"
          min={10}
          max={slots}
          value={Math.round(at * slots)}
          aria-label="Time that the map shows"
          aria-valuetext={`until ${formatTime(new Date(w.to).toISOString())}`}
          onChange={(e) => move(Number(e.target.value))}
        />
      </div>
      <span className="quiet">{formatTime(new Date(w.to).toISOString()).replace(/\.\d+$/, "")}</span>
    </div>
  );
}
