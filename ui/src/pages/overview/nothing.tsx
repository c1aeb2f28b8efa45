// What is said where a period has no connections.
import { Inbox } from "lucide-react";
import type { Status } from "../../api/types";
import { Button, Empty } from "../../kit/kit";

export function Nothing({
  filter,
  status,
  clear,
  wider,
}: {
  filter: string;
  status?: Status;
  clear(): void;
  wider(): void;
}) {
  const agents = status?.agents ?? [];
  return (
    <Empty
      icon={<Inbox size={26} />}
      title="No connections in this period"
      actions={
        <>
          {filter && (
            <Button look="primary" onClick={clear}>
              Clear the filter
            </Button>
          )}
          <Button onClick={wider}>Look at the last day</Button>
        </>
      }
    >
      {filter
        ? "None of them matches the filter."
        : agents.length === 0
          ? "No agent has connected yet. On a node, seine agent --server HOST:PORT sends its connections here."
          : "The agents are connected; what they see appears within seconds."}
    </Empty>
  );
}
