import type { ReactNode } from "react";

interface TileProps {
  label: string;
  value: ReactNode;
  note?: ReactNode;
  look?: string;
  href?: string;
}

export function Tile({ label, value, note, look = "", href }: TileProps) {
  const inside = (
    <>
      <span className="quiet">{label}</span>
      <strong className={look}>{value}</strong>
      <span className="quiet note-line">{note}</span>
    </>
  );
  return href ? (
    <a className="tile panel" href={href}>
      {inside}
    </a>
  ) : (
    <div className="tile panel">{inside}</div>
  );
}

export function Tiles({ children }: { children: ReactNode }) {
  return <div className="tiles wide">{children}</div>;
}
