import { Hourglass } from "lucide-react";
import { Empty } from "../../kit/kit";

export default function Page() {
  return <Empty icon={<Hourglass size={26} />} title="This server does not have these data" />;
}
