// A finding of the health model, as it is listed on several pages.
import { CircleAlert, Info, TriangleAlert } from "lucide-react";
import { serverNow } from "../../api/client";
import type { Finding } from "../../api/types";
import { formatAgo, formatNumber } from "../../format/format";
import { useLocation } from "../../state/url";

const looks = { critical: <CircleAlert size={16} />, warning: <TriangleAlert size={16} />, info: <Info size={16} /> };
const severities = ["critical", "warning", "info"];

export function ranked(findings: Finding[]): Finding[] {
  return [...findings].sort((a, b) => severities.indexOf(a.severity) - severities.indexOf(b.severity));
}

export function FindingLine({ finding, detailed }: { finding: Finding; detailed?: boolean }) {
  const { link } = useLocation();
  const page = finding.dataset === "dns" ? "dns" : "flows";
  const as = { kind: finding.unit === "bytes" ? "bytes" : "", unit: finding.unit };
  return (
    <a
      className="finding"
      data-severity={finding.severity}
      href={link(page, { q: `(${finding.filter})`, title: finding.sentence })}
    >
      <span className={finding.severity === "info" ? "quiet" : finding.severity}>{looks[finding.severity]}</span>
      <span>
        <span className="sr">{finding.severity}: </span>
        {finding.sentence.replaceAll(" %", "\u00a0%")}
        {detailed && (
          <span className="quiet facts-line">
            {finding.rule.replaceAll("_", " ")} · now {formatNumber(finding.value, as)}
            {finding.baseline !== null &&
              finding.baseline !== undefined &&
              `, before ${formatNumber(finding.baseline, as)}`}
            {finding.since && ` · since ${formatAgo(Date.parse(finding.since), serverNow())}`}
          </span>
        )}
      </span>
    </a>
  );
}
