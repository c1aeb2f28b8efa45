// The small parts that pages are made of.
import * as DropdownMenu from "@radix-ui/react-dropdown-menu";
import * as RadixPopover from "@radix-ui/react-popover";
import * as RadixTooltip from "@radix-ui/react-tooltip";
import { CircleAlert, X } from "lucide-react";
import { type ButtonHTMLAttributes, type ReactNode, useEffect, useRef } from "react";
import type { ApiError } from "../api/client";

export function Tip({ text, children }: { text: ReactNode; children: ReactNode }) {
  return (
    <RadixTooltip.Root>
      <RadixTooltip.Trigger asChild>{children}</RadixTooltip.Trigger>
      <RadixTooltip.Portal>
        <RadixTooltip.Content className="tooltip" sideOffset={6} collisionPadding={8}>
          {text}
        </RadixTooltip.Content>
      </RadixTooltip.Portal>
    </RadixTooltip.Root>
  );
}

export const TipProvider = RadixTooltip.Provider;

type ButtonProps = ButtonHTMLAttributes<HTMLButtonElement> & { look?: string; pressed?: boolean };

export function Button({ look = "", pressed, className = "", ...rest }: ButtonProps) {
  return <button type="button" className={`button ${look} ${className}`} aria-pressed={pressed} {...rest} />;
}

/** A button that is but an icon; its name is told on hover and to screen readers. */
export function IconButton({ label, look = "plain", ...rest }: ButtonProps & { label: string }) {
  return (
    <Tip text={label}>
      <Button look={`icon ${look}`} aria-label={label} {...rest} />
    </Tip>
  );
}

export function Menu({
  trigger,
  children,
  align = "end",
}: {
  trigger: ReactNode;
  children: ReactNode;
  align?: "start" | "end";
}) {
  return (
    <DropdownMenu.Root modal={false}>
      <DropdownMenu.Trigger asChild>{trigger}</DropdownMenu.Trigger>
      <DropdownMenu.Portal>
        <DropdownMenu.Content className="menu" align={align} sideOffset={5} collisionPadding={8}>
          {children}
        </DropdownMenu.Content>
      </DropdownMenu.Portal>
    </DropdownMenu.Root>
  );
}

interface ItemProps {
  icon?: ReactNode;
  hint?: ReactNode;
  on?: boolean;
  onSelect(): void;
  stay?: boolean;
  children: ReactNode;
}

export function MenuItem({ icon, hint, on, onSelect, stay, children }: ItemProps) {
  const select = (e: Event) => {
    if (stay) e.preventDefault();
    onSelect();
  };
  return (
    <DropdownMenu.Item className="menu-item" data-on={on} onSelect={select}>
      {icon}
      <span>{children}</span>
      {hint !== undefined && <span className="hint">{hint}</span>}
    </DropdownMenu.Item>
  );
}

export const MenuLabel = ({ children }: { children: ReactNode }) => (
  <DropdownMenu.Label className="menu-label">{children}</DropdownMenu.Label>
);
export const MenuLine = () => <DropdownMenu.Separator className="menu-line" />;

export function Popover({
  trigger,
  label,
  children,
  open,
  onOpenChange,
}: {
  trigger: ReactNode;
  label: string;
  children: ReactNode;
  open?: boolean;
  onOpenChange?(open: boolean): void;
}) {
  return (
    <RadixPopover.Root open={open} onOpenChange={onOpenChange}>
      <RadixPopover.Trigger asChild>{trigger}</RadixPopover.Trigger>
      <RadixPopover.Portal>
        <RadixPopover.Content className="popover" align="end" sideOffset={5} collisionPadding={8} aria-label={label}>
          {children}
        </RadixPopover.Content>
      </RadixPopover.Portal>
    </RadixPopover.Root>
  );
}

/** A choice of few, all seen at once. */
export function Segments<T extends string>({
  label,
  value,
  options,
  onChange,
}: {
  label: string;
  value: T;
  options: { value: T; label: ReactNode; title?: string }[];
  onChange(value: T): void;
}) {
  const move = (e: React.KeyboardEvent) => {
    const by = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[e.key];
    if (!by) return;
    e.preventDefault();
    e.stopPropagation();
    const i = options.findIndex((o) => o.value === value);
    const next = (i + by + options.length) % options.length;
    onChange(options[next].value);
    (e.currentTarget.children[next] as HTMLElement).focus();
  };
  return (
    <div className="segments" role="radiogroup" aria-label={label} onKeyDown={move}>
      {options.map((o) => (
        <button
          key={o.value}
          type="button"
          role="radio"
          aria-checked={o.value === value}
          tabIndex={o.value === value ? 0 : -1}
          title={o.title}
          onClick={() => onChange(o.value)}
        >
          {o.label}
        </button>
      ))}
    </div>
  );
}

export function Choice({
  label,
  value,
  options,
  onChange,
  bare,
}: {
  label: string;
  value: string;
  options: { value: string; label: string }[];
  onChange(value: string): void;
  bare?: boolean;
}) {
  return (
    <label className="labelled">
      <span className={bare ? "sr" : ""}>{label}</span>
      <select className="field" value={value} onChange={(e) => onChange(e.target.value)}>
        {options.map((o) => (
          <option key={o.value} value={o.value}>
            {o.label}
          </option>
        ))}
      </select>
    </label>
  );
}

export function Panel({
  title,
  sub,
  end,
  children,
  className = "",
}: {
  title?: ReactNode;
  sub?: ReactNode;
  end?: ReactNode;
  children: ReactNode;
  className?: string;
}) {
  return (
    <section className={`panel ${className}`}>
      {title && (
        <header>
          <h2>{title}</h2>
          {sub && <span className="sub">{sub}</span>}
          {end && <div className="end">{end}</div>}
        </header>
      )}
      {children}
    </section>
  );
}

/** Says that nothing is there, why, and what to do. */
export function Empty({
  icon,
  title,
  children,
  actions,
}: {
  icon?: ReactNode;
  title: string;
  children?: ReactNode;
  actions?: ReactNode;
}) {
  return (
    <div className="empty">
      {icon}
      <strong>{title}</strong>
      {children && <p>{children}</p>}
      {actions && <div className="actions">{actions}</div>}
    </div>
  );
}

/** An error of the API, with the place in the filter if it names one. */
export function Problem({ error, filter, retry }: { error: unknown; filter?: string; retry?(): void }) {
  const told = error as ApiError;
  const at = told.position?.offset;
  return (
    <div className="problem" role="alert">
      <CircleAlert size={16} aria-hidden />
      <div>
        <p>{told.message}</p>
        {told.hint && <p className="hint">{told.hint}</p>}
        {filter && at !== undefined && (
          <pre>
            {filter.slice(0, at)}
            <span className="here">{filter.slice(at, at + 1) || " "}</span>
            {filter.slice(at + 1)}
          </pre>
        )}
        {retry && (
          <Button look="small" onClick={retry} style={{ marginTop: 8 }}>
            Try again
          </Button>
        )}
      </div>
    </div>
  );
}

export const Skeleton = ({ height, width = "100%" }: { height: number; width?: number | string }) => (
  <div className="skeleton" style={{ height, width }} />
);

/** A modal dialog: the browser keeps the focus in it and closes it by Escape. */
export function Dialog({ title, onClose, children }: { title: string; onClose(): void; children: ReactNode }) {
  const ref = useRef<HTMLDialogElement>(null);
  useEffect(() => ref.current?.showModal(), []);
  return (
    <dialog
      ref={ref}
      aria-label={title}
      onClose={onClose}
      onClick={(e) => e.target === ref.current && ref.current?.close()}
    >
      <header>
        <h2>{title}</h2>
        <Button look="plain icon" aria-label="Close" onClick={() => ref.current?.close()}>
          <X size={16} />
        </Button>
      </header>
      <div className="body">{children}</div>
    </dialog>
  );
}
