import { useIsFetching } from "@tanstack/react-query";
import { CalendarClock, ChevronDown, RefreshCw } from "lucide-react";
import { useState } from "react";
import { refresh, useWindow } from "../state/clock";
import { type Period, periodLabel, periodParams, presets, refreshes, refreshOf } from "../state/period";
import { useLocation } from "../state/url";
import { Button, IconButton, Menu, MenuItem, MenuLabel, Popover } from "./kit";

/** The period that all of the page is of, and how often it is asked anew. */
export function PeriodPicker() {
  const { params, page, set } = useLocation();
  const { period } = useWindow();
  const [open, setOpen] = useState(false);
  const every = refreshOf(params, page);
  const busy = useIsFetching() > 0;
  const choose = (next: Period) => {
    set(periodParams(next));
    refresh();
    setOpen(false);
  };
  return (
    <>
      <Popover
        open={open}
        onOpenChange={setOpen}
        label="Period"
        trigger={
          <Button className="grow">
            <CalendarClock size={15} />
            {periodLabel(period)}
            <ChevronDown size={13} />
          </Button>
        }
      >
        <Choices period={period} onChoose={choose} />
      </Popover>
      <div className="period">
        <IconButton look="" label="Refresh now (r)" onClick={refresh}>
          <RefreshCw size={15} className={busy ? "spin" : ""} />
        </IconButton>
        <Menu
          trigger={
            <Button aria-label={`Refresh by itself: ${every}`}>
              {every === "off" ? "Off" : every}
              <ChevronDown size={13} />
            </Button>
          }
        >
          <MenuLabel>Refresh by itself</MenuLabel>
          {refreshes.map((r) => (
            <MenuItem key={r} on={r === every} onSelect={() => set({ refresh: r })}>
              {r === "off" ? "Off" : `Every ${r}`}
            </MenuItem>
          ))}
        </Menu>
      </div>
    </>
  );
}

function Choices({ period, onChoose }: { period: Period; onChoose(p: Period): void }) {
  const w = useWindow();
  const [from, setFrom] = useState(local(w.from));
  const [to, setTo] = useState(local(w.to));
  const given = { from: Date.parse(from), to: Date.parse(to) };
  return (
    <div className="period-choices">
      <div>
        {presets.map((p) => (
          <button
            key={p.last}
            type="button"
            className="menu-item"
            data-on={"last" in period && period.last === p.last}
            onClick={() => onChoose({ last: p.last })}
          >
            Last {p.label}
          </button>
        ))}
      </div>
      <form
        onSubmit={(e) => {
          e.preventDefault();
          if (given.from < given.to) onChoose(given);
        }}
      >
        <label>
          From
          <input
            className="field"
            type="datetime-local"
            step="1"
            value={from}
            onChange={(e) => setFrom(e.target.value)}
          />
        </label>
        <label>
          To
          <input className="field" type="datetime-local" step="1" value={to} onChange={(e) => setTo(e.target.value)} />
        </label>
        <Button type="submit" look="primary" disabled={!(given.from < given.to)}>
          Show
        </Button>
        <p className="quiet">Or drag across any chart.</p>
      </form>
    </div>
  );
}

/** A moment as an input for local time has it. */
function local(at: number): string {
  const d = new Date(at - new Date(at).getTimezoneOffset() * 60_000);
  return d.toISOString().slice(0, 19);
}
