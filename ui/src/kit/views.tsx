import { Bookmark, Braces, Link2, Plus, Terminal, Trash2 } from "lucide-react";
import { parsed, remember, useRemembered } from "../state/prefs";
import type { Location } from "../state/url";
import { go, hrefOf, useLocation } from "../state/url";
import { IconButton, Menu, MenuItem, MenuLabel, MenuLine } from "./kit";
import { copy, toast } from "./toast";

interface View {
  name: string;
  /** Page and query, relative to the console, so that it survives a move. */
  page: string;
  search: string;
}

/** Views that this browser keeps under names, and links to what is shown. */
export function Views() {
  const place = useLocation();
  const views = parsed<View[]>(useRemembered("views"), []);
  const keep = (list: View[]) => remember("views", JSON.stringify(list));
  const save = () => {
    const name = prompt("Name of this view:", suggestName(place));
    if (!name) return;
    keep([...views.filter((v) => v.name !== name), { name, page: place.page, search: place.params.toString() }]);
    toast(`Saved as “${name}”`);
  };
  return (
    <Menu
      trigger={
        <IconButton look="" label="Views and links">
          <Bookmark size={15} />
        </IconButton>
      }
    >
      <MenuItem icon={<Link2 size={14} />} onSelect={() => copy(shareLink(place), "Link")}>
        Copy link
      </MenuItem>
      <MenuItem icon={<Plus size={14} />} onSelect={save}>
        Save this view…
      </MenuItem>
      <MenuLine />
      <MenuLabel>{views.length ? "Saved views" : "No saved views yet"}</MenuLabel>
      {views.map((v) => (
        <MenuItem
          key={v.name}
          icon={<Bookmark size={14} />}
          onSelect={() => go(hrefOf(v.page, new URLSearchParams(v.search)))}
          hint={v.page || "overview"}
        >
          {v.name}
        </MenuItem>
      ))}
      {views.length > 0 && (
        <>
          <MenuLine />
          <MenuItem icon={<Trash2 size={14} />} onSelect={() => forget(views, keep)}>
            Delete a view…
          </MenuItem>
        </>
      )}
    </Menu>
  );
}

function forget(views: View[], keep: (list: View[]) => void): void {
  const name = prompt(`Which view shall be deleted? ${views.map((v) => v.name).join(", ")}`, views[0].name);
  if (name) keep(views.filter((v) => v.name !== name));
}

function suggestName(place: Location): string {
  return [place.page || "overview", place.params.get("q")].filter(Boolean).join(": ").slice(0, 60);
}

/** A link that shows the same to whoever opens it. */
function shareLink(place: Location): string {
  return new URL(hrefOf(place.page, place.params), location.href).href;
}

export const cliIcon = <Terminal size={14} />;
export const curlIcon = <Braces size={14} />;
