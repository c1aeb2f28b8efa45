// The filter bar: one expression, seen as chips or as text.
import { useQuery } from "@tanstack/react-query";
import { ArrowLeftRight, Code, Filter as FilterIcon, X } from "lucide-react";
import { type KeyboardEvent, useEffect, useId, useMemo, useRef, useState } from "react";
import * as client from "../api/client";
import { type Fields, useFields } from "../api/hooks";
import { IconButton, Menu, MenuItem, MenuLabel } from "../kit/kit";
import { useWindow } from "../state/clock";
import { useLocation } from "../state/url";
import { both, type Chip, oneOf, parseFilter, printChip, printFilter, swapEnds } from "./cel";
import { FilterChip } from "./chip";
import { quickFilters } from "./quick";
import {
  conditionOf,
  enter,
  findAnywhere,
  isText,
  type Suggestion,
  stageOf,
  suggestFields,
  suggestOperators,
  valueLabel,
} from "./suggest";

/** Whether two filters begin with the same condition, which then keeps its title. */
function begins(text: string, other: string): boolean {
  const [a, b] = [text, other].map((t) => parseFilter(t)[0]);
  return a !== undefined && b !== undefined && printChip(a) === printChip(b);
}

/** The filter in the URL with the title of its first condition, and ways to change it. */
export function useFilter() {
  const { params, set } = useLocation();
  const filter = params.get("q") ?? "";
  const title = params.get("title") ?? "";
  const setFilter = (text: string) =>
    set({ q: text.trim() || null, row: null, title: begins(text, filter) ? title : null });
  return { filter, title, setFilter };
}

export function FilterBar({ dataset }: { dataset: string }) {
  const { fields } = useFields(dataset);
  const { filter, title, setFilter } = useFilter();
  const [asText, setAsText] = useState(false);
  const wrong = useCheck(dataset, filter);
  const quick = quickFilters.filter((q) => fields.has(...q.needs));
  return (
    <search className="filter" data-wrong={wrong !== ""} title={wrong || undefined}>
      <Menu
        align="start"
        trigger={
          <IconButton label="Quick filters">
            <FilterIcon size={15} />
          </IconButton>
        }
      >
        <MenuLabel>Quick filters</MenuLabel>
        {quick.map((q) => (
          <MenuItem key={q.label} onSelect={() => setFilter(both(filter, q.filter))} hint={q.hint}>
            {q.label}
          </MenuItem>
        ))}
        {quick.length === 0 && <MenuLabel>None for these data</MenuLabel>}
      </Menu>
      {asText ? (
        <TextView key={filter} filter={filter} onChange={setFilter} />
      ) : (
        <ChipView filter={filter} title={title} fields={fields} dataset={dataset} onChange={setFilter} />
      )}
      <div className="tools">
        {filter && (
          <IconButton
            label="Exchange client and server"
            onClick={() => setFilter(swapEnds(filter, (n) => fields.get(n)?.mirror))}
          >
            <ArrowLeftRight size={15} />
          </IconButton>
        )}
        <IconButton
          label={asText ? "Show as chips" : "Edit as text (CEL)"}
          pressed={asText}
          onClick={() => setAsText(!asText)}
        >
          <Code size={15} />
        </IconButton>
        {filter && (
          <IconButton label="Clear the filter" onClick={() => setFilter("")}>
            <X size={15} />
          </IconButton>
        )}
      </div>
    </search>
  );
}

/** Asks the server whether a filter is one, for the colour of the bar; pages show the error itself. */
function useCheck(dataset: string, filter: string): string {
  const { error } = useQuery({
    queryKey: ["check", dataset, filter],
    queryFn: ({ signal }) => client.query({ dataset, filter, last: "1s", limit: 1, measures: ["count()"] }, signal),
    enabled: parseFilter(filter).some((c) => c.kind === "text"),
    retry: false,
  });
  return (error as client.ApiError | null)?.kind && (error as client.ApiError).status === 400
    ? (error as Error).message
    : "";
}

function TextView({ filter, onChange }: { filter: string; onChange(text: string): void }) {
  const [text, setText] = useState(filter);
  const ref = useRef<HTMLTextAreaElement>(null);
  useEffect(() => ref.current?.focus(), []);
  const key = (e: KeyboardEvent) => {
    if (e.key === "Enter" && !e.shiftKey) {
      e.preventDefault();
      onChange(text);
    } else if (e.key === "Escape") setText(filter);
  };
  return (
    <textarea
      ref={ref}
      rows={1}
      value={text}
      aria-label="Filter as a CEL expression"
      placeholder={'src.namespace == "shop" && total.bytes > 1048576'}
      spellCheck={false}
      onChange={(e) => setText(e.target.value)}
      onKeyDown={key}
      onBlur={() => onChange(text)}
    />
  );
}

interface ViewProps {
  filter: string;
  title: string;
  fields: Fields;
  dataset: string;
  onChange(filter: string): void;
}

function ChipView({ filter, title, fields, dataset, onChange }: ViewProps) {
  const chips = useMemo(() => parseFilter(filter), [filter]);
  const [draft, setDraft] = useState("");
  const input = useRef<HTMLInputElement>(null);
  const put = (next: Chip[]) => onChange(printFilter(next));
  const without = (i: number) => chips.filter((_, other) => other !== i);
  const edit = (i: number) => {
    setDraft(printChip(chips[i]));
    put(without(i));
    // The menu gives the focus back to its button first.
    setTimeout(() => input.current?.focus(), 0);
  };
  const add = (text: string) => {
    if (text) onChange(both(filter, text));
    setDraft("");
  };
  const last = chips.length - 1;
  return (
    <div className="chips">
      {chips.map((chip, i) => (
        <FilterChip
          key={printChip(chip)}
          chip={chip}
          title={i === 0 ? title : ""}
          fields={fields}
          onEdit={() => edit(i)}
          onChange={(c) => put(chips.map((old, other) => (other === i ? c : old)))}
          onRemove={() => put(without(i))}
        />
      ))}
      <Completion
        draft={draft}
        setDraft={setDraft}
        input={input}
        fields={fields}
        dataset={dataset}
        filter={filter}
        onAdd={add}
        onBackspace={() => last >= 0 && edit(last)}
        empty={chips.length === 0}
      />
    </div>
  );
}

interface CompletionProps {
  draft: string;
  setDraft(text: string): void;
  input: React.RefObject<HTMLInputElement | null>;
  fields: Fields;
  dataset: string;
  filter: string;
  empty: boolean;
  onAdd(text: string): void;
  onBackspace(): void;
}

/** A line with completion: a combobox with its list (https://www.w3.org/WAI/ARIA/apg/patterns/combobox/). */
function Completion({ draft, setDraft, input, fields, dataset, filter, empty, onAdd, onBackspace }: CompletionProps) {
  const [open, setOpen] = useState(false);
  const [active, setActive] = useState(-1);
  const id = useId();
  const list = useSuggestions(draft, fields, dataset, filter, open);
  const take = (s: Suggestion) => {
    setActive(-1);
    if (s.whole) {
      onAdd(s.text);
      setOpen(false);
    } else setDraft(s.text);
    input.current?.focus();
  };
  const key = (e: KeyboardEvent) => {
    if (e.key === "ArrowDown" || e.key === "ArrowUp") {
      e.preventDefault();
      setOpen(true);
      setActive((a) =>
        list.length
          ? (a + (e.key === "ArrowDown" ? 1 : -1) + list.length + (a < 0 && e.key === "ArrowUp" ? 1 : 0)) % list.length
          : -1,
      );
    } else if ((e.key === "Enter" || e.key === "Tab") && active >= 0 && list[active]) {
      e.preventDefault();
      take(list[active]);
    } else if (e.key === "Enter") {
      e.preventDefault();
      onAdd(enter(draft, fields));
      setOpen(false);
    } else if (e.key === "Escape") {
      if (open && draft === "") input.current?.blur();
      setOpen(false);
      setActive(-1);
    } else if (e.key === "Backspace" && draft === "") onBackspace();
  };
  return (
    <>
      <input
        ref={input}
        id="filter-input"
        role="combobox"
        aria-label="Add a condition"
        aria-expanded={open && list.length > 0}
        aria-controls={`${id}-list`}
        aria-autocomplete="list"
        aria-activedescendant={open && active >= 0 ? `${id}-${active}` : undefined}
        autoComplete="off"
        spellCheck={false}
        placeholder={empty ? "Filter: a field, a name, an address, a port…" : "and…"}
        value={draft}
        onChange={(e) => {
          setDraft(e.target.value);
          setOpen(true);
          setActive(-1);
        }}
        onFocus={() => setOpen(true)}
        onBlur={() => setOpen(false)}
        onKeyDown={key}
      />
      {open && list.length > 0 && (
        <div className="suggest">
          <div id={`${id}-list`} role="listbox" aria-label="Suggestions">
            {list.map((s, i) => (
              <Option
                key={s.text + s.label}
                id={`${id}-${i}`}
                suggestion={s}
                selected={i === active}
                onTake={() => take(s)}
              />
            ))}
          </div>
          <footer>
            <span>
              <kbd>↑</kbd> <kbd>↓</kbd> choose
            </span>
            <span>
              <kbd>Enter</kbd> add
            </span>
          </footer>
        </div>
      )}
    </>
  );
}

function Option({
  id,
  suggestion,
  selected,
  onTake,
}: {
  id: string;
  suggestion: Suggestion;
  selected: boolean;
  onTake(): void;
}) {
  const ref = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (selected) ref.current?.scrollIntoView({ block: "nearest" });
  }, [selected]);
  return (
    <div
      ref={ref}
      id={id}
      role="option"
      aria-selected={selected}
      className="menu-item"
      onMouseDown={(e) => e.preventDefault()}
      onClick={onTake}
    >
      <span>{suggestion.label}</span>
      <span className="hint">{suggestion.hint}</span>
    </div>
  );
}

/** Whose values are offered for a bare word, and in which fields they are looked up. */
const nameFields = ["src.workload.name", "backend.workload.name", "dst.service", "src.name", "backend.name"];

/** The names that begin with a word: asked one after another, once somebody has stopped typing. */
async function namesOf(
  places: string[],
  prefix: string,
  rest: Record<string, string | undefined>,
  signal: AbortSignal,
): Promise<Suggestion[]> {
  await new Promise((go) => setTimeout(go, 150));
  const found: Suggestion[] = [];
  for (const field of places) {
    signal.throwIfAborted();
    const { values } = await client.values({ ...rest, field, prefix, limit: "5" }, signal);
    for (const { value } of values.filter((v) => v.value !== ""))
      found.push({ text: oneOf(field, [value]), label: `${field} is ${value}`, hint: "", whole: true });
  }
  return found;
}

function useSuggestions(draft: string, fields: Fields, dataset: string, filter: string, open: boolean): Suggestion[] {
  const { period, from, to } = useWindow();
  const stage = useMemo(() => stageOf(draft, fields), [draft, fields]);
  const field = stage.at === "value" ? stage.field : undefined;
  const asked = open && field && isText(field) && field.kind !== "enum";
  const prefix = stage.at === "value" ? stage.prefix : "";
  const when =
    "last" in period ? { last: period.last } : { from: new Date(from).toISOString(), to: new Date(to).toISOString() };
  const { data } = useQuery({
    queryKey: ["values", dataset, field?.name, prefix, when, filter],
    queryFn: ({ signal }) =>
      client.values({ dataset, field: field?.name, prefix, limit: "30", ...when, filter }, signal),
    enabled: Boolean(asked),
    retry: false,
  });
  const word = stage.at === "field" && open ? stage.word : "";
  const places = nameFields.filter((n) => fields.has(n));
  const names = useQuery({
    queryKey: ["names", dataset, word, when, filter],
    queryFn: ({ signal }) => namesOf(places, word, { dataset, ...when, filter }, signal),
    enabled: /^[\w.-]{2,}$/.test(word) && places.length > 0,
    retry: false,
  });
  if (stage.at === "field") {
    const anywhere =
      stage.word && /^[\w.:-]+$/.test(stage.word) && !fields.has(stage.word) ? findAnywhere(fields, stage.word) : "";
    const found = anywhere
      ? [{ text: anywhere, label: `${stage.word} anywhere`, hint: "in every name, address or port", whole: true }]
      : [];
    if (word) found.push(...(names.data ?? []));
    const named = suggestFields(fields, stage.word);
    return stage.word && named.length > 0 && named[0].label.startsWith(stage.word)
      ? [...named, ...found]
      : [...found, ...named];
  }
  const known =
    stage.field.values?.filter((v) => v.value.startsWith(prefix)) ??
    (stage.field.kind === "bool"
      ? [
          { value: "true", doc: "" },
          { value: "false", doc: "" },
        ]
      : []);
  const told =
    data?.values.filter((v) => v.value !== "").map((v) => ({ value: v.value, doc: `${v.rows} records` })) ?? [];
  const all = (known.length ? known : told).map((v) => ({
    text: conditionOf(stage, v.value),
    label: `${opText(stage.op)} ${valueLabel(v.value, stage.field)}`,
    hint: v.doc,
    whole: true,
  }));
  return draft.trimEnd() === stage.field.name
    ? [...all, ...suggestOperators(stage).filter((s) => s.hint !== "is")]
    : all;
}

const opText = (op: string) => (op === "cidr" ? "in net" : op);
