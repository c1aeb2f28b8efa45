// What is said where a period has no connections.
import type { Status } from "../../api/types";
import { NoConnections } from "../../kit/nothing";

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
    <NoConnections title="No connections in this period" filter={filter} clear={clear} wider={wider}>
      {filter
        ? "None of them matches the filter."
        : agents.length === 0
          ? "No agent has connected yet. On a node, seine agent --server HOST:PORT sends its connections here."
          : "The agents are connected; what they see appears within seconds."}
    </NoConnections>
  );
}
