// What is said where a period has no connections, with the two ways on.
import { Inbox } from "lucide-react";
import type { ReactNode } from "react";
import { Button, Empty } from "./kit";

export function NoConnections({
  title,
  filter,
  clear,
  wider,
  children,
}: {
  title: string;
  filter: string;
  clear(): void;
  wider(): void;
  children: ReactNode;
}) {
  return (
    <Empty
      icon={<Inbox size={26} />}
      title={title}
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
      {children}
    </Empty>
  );
}
