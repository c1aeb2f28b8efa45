// How much a number has changed.
import { ArrowDownRight, ArrowUpRight } from "lucide-react";
import { formatChange } from "../../format/format";

export function Change({ now, before }: { now: number; before: number }) {
  const text = formatChange(now, before);
  return (
    <span className="change">
      {now > before * 1.005 ? <ArrowUpRight size={13} /> : now < before * 0.995 ? <ArrowDownRight size={13} /> : null}
      {text}
    </span>
  );
}
