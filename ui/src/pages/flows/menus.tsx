import { Columns3, Copy, Download } from "lucide-react";
import { useState } from "react";
import * as client from "../../api/client";
import type { Fields } from "../../api/hooks";
import type { Request } from "../../api/types";
import { Button, Dialog, Menu, MenuItem } from "../../kit/kit";
import { copy, toast } from "../../kit/toast";
import { cliIcon, curlIcon } from "../../kit/views";
import type { Period, Window } from "../../state/period";
import { pathColumn } from "./columns";
import { cliCommand, curlCommand } from "./commands";

interface AskedProps {
  window: Window & { period: Period };
  filter: string;
  columns: string[];
  request: Request;
}

const formats = [
  { format: "csv", label: "CSV", hint: "for spreadsheets" },
  { format: "ndjson", label: "NDJSON", hint: "one record a line" },
  { format: "parquet", label: "Parquet", hint: "typed columns" },
];

/** All rows of the period, without a limit; the columns of the table or all fields. */
export function ExportMenu({ window: w, filter, columns }: AskedProps) {
  const save = async (format: string, all: boolean) => {
    const fields = all ? "" : columns.filter((c) => c !== pathColumn).join(",");
    const url = client.apiUrl("export", {
      format,
      fields,
      filter,
      from: new Date(w.from).toISOString(),
      to: new Date(w.to).toISOString(),
    });
    try {
      await download(url);
    } catch (why) {
      toast(`Export failed: ${(why as Error).message}`);
    }
  };
  return (
    <Menu
      trigger={
        <Button>
          <Download size={14} />
          Export
        </Button>
      }
    >
      {formats.map((f) => (
        <MenuItem key={f.format} onSelect={() => save(f.format, true)} hint={f.hint}>
          {f.label}, all fields
        </MenuItem>
      ))}
      <MenuItem onSelect={() => save("csv", false)} hint="as the table has them">
        CSV, these columns
      </MenuItem>
    </Menu>
  );
}

/** The browser saves a file as it arrives; with a token it has to be fetched first. */
async function download(url: URL): Promise<void> {
  const a = document.createElement("a");
  a.download = "";
  if (client.hasToken()) {
    const answer = await client.send(url);
    a.download = /filename="([^"]+)"/.exec(answer.headers.get("Content-Disposition") ?? "")?.[1] ?? "seine-export";
    a.href = URL.createObjectURL(await answer.blob());
    setTimeout(() => URL.revokeObjectURL(a.href), 60_000);
  } else a.href = url.href;
  a.click();
}

export function CopyMenu({ window: w, filter, request }: AskedProps) {
  const api = client.base.href.replace(/\/$/, "");
  return (
    <Menu
      trigger={
        <Button>
          <Copy size={14} />
          Copy as
        </Button>
      }
    >
      <MenuItem
        icon={cliIcon}
        onSelect={() => copy(cliCommand(w.period, filter, request.limit ?? 100, api), "Command")}
      >
        seine command
      </MenuItem>
      <MenuItem icon={curlIcon} onSelect={() => copy(curlCommand(request, api, client.hasToken()), "Command")}>
        curl command
      </MenuItem>
    </Menu>
  );
}

export function ColumnsButton({
  fields,
  columns,
  onColumns,
}: {
  fields: Fields;
  columns: string[];
  onColumns(columns: string[] | null): void;
}) {
  const [open, setOpen] = useState(false);
  const [word, setWord] = useState("");
  const groups = Map.groupBy(
    fields.list.filter((f) => `${f.name} ${f.doc}`.toLowerCase().includes(word.toLowerCase())),
    (f) => f.group,
  );
  const toggle = (name: string, on: boolean) => onColumns(on ? [...columns, name] : columns.filter((c) => c !== name));
  return (
    <>
      <Button onClick={() => setOpen(true)}>
        <Columns3 size={14} />
        Columns
      </Button>
      {open && (
        <Dialog title="Columns" onClose={() => setOpen(false)}>
          <div className="columns-head">
            <input
              className="field"
              placeholder="Search fields"
              aria-label="Search fields"
              value={word}
              onChange={(e) => setWord(e.target.value)}
            />
            <Button onClick={() => onColumns(null)}>Default</Button>
          </div>
          <div className="columns-list">
            <Toggle
              name={pathColumn}
              doc="Client → dialled ⇒ backend, in one column."
              on={columns.includes(pathColumn)}
              onToggle={toggle}
            />
            {[...groups].map(([group, list]) => (
              <fieldset key={group}>
                <legend>{group}</legend>
                {list.map((f) => (
                  <Toggle key={f.name} name={f.name} doc={f.doc} on={columns.includes(f.name)} onToggle={toggle} />
                ))}
              </fieldset>
            ))}
          </div>
        </Dialog>
      )}
    </>
  );
}

function Toggle({
  name,
  doc,
  on,
  onToggle,
}: {
  name: string;
  doc: string;
  on: boolean;
  onToggle(name: string, on: boolean): void;
}) {
  return (
    <label className="toggle">
      <input type="checkbox" checked={on} onChange={(e) => onToggle(name, e.target.checked)} />
      <span>{name}</span>
      <span className="quiet">{doc}</span>
    </label>
  );
}
