import { Hourglass } from "lucide-react";
import { Empty } from "./kit";

/** Says plainly that a page's data are not what this server keeps. */
export function Missing({ what, fields }: { what: string; fields: string[] }) {
  return (
    <Empty icon={<Hourglass size={26} />} title={`This server does not have ${what}`}>
      It knows no field {fields.map((f) => `“${f}”`).join(" or ")}. A newer release of Seine does.
    </Empty>
  );
}
