// Whether anything needs attention, beside the heading.
import { CircleCheck } from "lucide-react";
import type { ApiError } from "../../api/client";
import { useHealth } from "../../api/hooks";
import { useLocation } from "../../state/url";

export function Verdict() {
  const { data, error } = useHealth();
  const { link } = useLocation();
  if (error && (error as ApiError).status === 404) return <span className="sub">what is spoken, and what changed</span>;
  if (!data) return null;
  const bad = (data.findings ?? []).filter((f) => f.severity !== "info").length;
  if (bad === 0) {
    return (
      <span className="tag ok">
        <CircleCheck size={13} />
        nothing stands out
      </span>
    );
  }
  return (
    <a
      className={`tag ${data.findings?.some((f) => f.severity === "critical") ? "critical" : "warning"}`}
      href={link("health")}
    >
      {bad === 1 ? "1 thing needs attention" : `${bad} things need attention`}
    </a>
  );
}
