// The frame around the pages: navigation, filter, period; and which page is shown.
import {
  Activity,
  CircleHelp,
  Coins,
  Gauge,
  Globe,
  LayoutDashboard,
  Moon,
  Sun,
  TableProperties,
  Waypoints,
} from "lucide-react";
import { Component, lazy, type ReactNode, Suspense, useEffect, useState, useSyncExternalStore } from "react";
import { base, isLocked, watchLock } from "./api/client";
import { useStatus } from "./api/hooks";
import { FilterBar } from "./filter/bar";
import { Keys } from "./kit/keys";
import { Button, Empty, IconButton, Problem, Skeleton, TipProvider } from "./kit/kit";
import { Login } from "./kit/login";
import { PeriodPicker } from "./kit/period";
import { Toast } from "./kit/toast";
import { Views } from "./kit/views";
import { useAutoRefresh } from "./state/clock";
import { setTheme, useTheme } from "./state/prefs";
import { go, useLocation } from "./state/url";

interface Page {
  path: string;
  name: string;
  icon: ReactNode;
  view: ReturnType<typeof lazy>;
  /** Whose fields the filter bar knows; a page without has neither filter nor period. */
  dataset?: string;
  /** The page does its own scrolling. */
  fixed?: boolean;
}

const pages: Page[] = [
  {
    path: "",
    name: "Overview",
    icon: <LayoutDashboard size={17} />,
    view: lazy(() => import("./pages/overview/page")),
    dataset: "flows",
  },
  {
    path: "map",
    name: "Map",
    icon: <Waypoints size={17} />,
    view: lazy(() => import("./pages/map/page")),
    dataset: "flows",
    fixed: true,
  },
  {
    path: "flows",
    name: "Flows",
    icon: <TableProperties size={17} />,
    view: lazy(() => import("./pages/flows/page")),
    dataset: "flows",
    fixed: true,
  },
  {
    path: "health",
    name: "Health",
    icon: <Activity size={17} />,
    view: lazy(() => import("./pages/health/page")),
    dataset: "flows",
  },
  { path: "dns", name: "DNS", icon: <Globe size={17} />, view: lazy(() => import("./pages/dns/page")), dataset: "dns" },
  {
    path: "cost",
    name: "Cost",
    icon: <Coins size={17} />,
    view: lazy(() => import("./pages/cost/page")),
    dataset: "flows",
  },
  { path: "status", name: "Status", icon: <Gauge size={17} />, view: lazy(() => import("./pages/status/page")) },
];

export function App() {
  const place = useLocation();
  const [keys, setKeys] = useState(false);
  const locked = useSyncExternalStore(watchLock, isLocked);
  useAutoRefresh();
  useLinks();
  const page = pages.find((p) => p.path === place.page);
  useEffect(() => {
    document.title = page ? `${page.name} · Seine` : "Seine";
  }, [page]);
  if (locked) return <Login />;
  return (
    <TipProvider delayDuration={350}>
      <a className="skip button" href="#page">
        To the page
      </a>
      <div className="app">
        <Side page={place.page} onHelp={() => setKeys(true)} />
        <div className="top">
          {page?.dataset ? (
            <FilterBar dataset={page.dataset} />
          ) : (
            <h1 style={{ flex: 1, lineHeight: "32px" }}>{page?.name}</h1>
          )}
          <PeriodPicker />
          <Views />
        </div>
        <main id="page" tabIndex={-1} className={`page ${page?.fixed ? "fixed" : ""}`}>
          <Guard key={place.page}>
            <Suspense fallback={<Loading />}>{page ? <page.view /> : <NoPage />}</Suspense>
          </Guard>
        </main>
      </div>
      <Keys open={keys} setOpen={setKeys} />
      <Toast />
    </TipProvider>
  );
}

function Side({ page, onHelp }: { page: string; onHelp(): void }) {
  const { link } = useLocation();
  const theme = useTheme();
  return (
    <div className="side">
      <a className="brand" href={link("")} aria-label="Seine, overview">
        <Logo />
        <span>Seine</span>
      </a>
      <nav aria-label="Pages">
        {pages.map((p) => (
          <a key={p.path} href={link(p.path)} aria-current={p.path === page ? "page" : undefined} title={p.name}>
            {p.icon}
            <span>{p.name}</span>
          </a>
        ))}
      </nav>
      <div className="foot">
        <SelfStatus />
        <div className="row">
          <IconButton
            label={theme === "dark" ? "Light (t)" : "Dark (t)"}
            onClick={() => setTheme(theme === "dark" ? "light" : "dark")}
          >
            {theme === "dark" ? <Sun size={16} /> : <Moon size={16} />}
          </IconButton>
          <IconButton label="Keys (?)" onClick={onHelp}>
            <CircleHelp size={16} />
          </IconButton>
        </div>
      </div>
    </div>
  );
}

/** How Seine itself is: its agents, and whether anything was lost. */
function SelfStatus() {
  const { data, error } = useStatus();
  const { link } = useLocation();
  const agents = data?.agents ?? [];
  const away = agents.filter((a) => !a.connected).length;
  const lost = (data?.losses ?? []).some((l) => l.count > 0);
  const degraded = agents.some((a) => (a.features ?? []).some((f) => f.state !== "live" && f.state !== "off"));
  const [look, text] = error
    ? ["critical", "No answer"]
    : !data
      ? ["quiet", "Asking…"]
      : !data.readiness.ready
        ? ["critical", "Not ready"]
        : away > 0
          ? ["warning", `${away} of ${agents.length} agents away`]
          : lost
            ? ["warning", "Records were lost"]
            : degraded
              ? ["warning", "Some features degraded"]
              : ["ok", `${agents.length} agent${agents.length === 1 ? "" : "s"} live`];
  return (
    <a className="self" href={link("status")} title={text} aria-label={`Seine itself: ${text}`}>
      <span className={`dot ${look}`} />
      <span>{text}</span>
    </a>
  );
}

/** Follows links inside the console without loading it anew. */
function useLinks(): void {
  useEffect(() => {
    const click = (e: MouseEvent) => {
      const a = (e.target as Element).closest?.("a");
      if (
        !a ||
        e.defaultPrevented ||
        e.button !== 0 ||
        e.metaKey ||
        e.ctrlKey ||
        e.shiftKey ||
        a.target ||
        a.hasAttribute("download")
      )
        return;
      const url = new URL(a.href);
      const inside =
        url.origin === location.origin &&
        url.pathname.startsWith(base.pathname) &&
        !url.pathname.slice(base.pathname.length).includes("/");
      if (!inside || url.hash) return;
      e.preventDefault();
      go(url.pathname + url.search);
    };
    document.addEventListener("click", click);
    return () => document.removeEventListener("click", click);
  }, []);
}

/** Keeps a page that fails from taking the frame with it. */
class Guard extends Component<{ children: ReactNode }, { error?: Error }> {
  state: { error?: Error } = {};
  static getDerivedStateFromError(error: Error) {
    return { error };
  }
  render() {
    if (!this.state.error) return this.props.children;
    return <Problem error={this.state.error} retry={() => location.reload()} />;
  }
}

function Loading() {
  return (
    <div className="stack" aria-hidden>
      <Skeleton height={28} width={220} />
      <Skeleton height={160} />
      <Skeleton height={260} />
    </div>
  );
}

function NoPage() {
  const { link } = useLocation();
  return (
    <Empty
      title="There is no such page"
      actions={
        <Button look="primary" onClick={() => go(link(""))}>
          To the overview
        </Button>
      }
    >
      The address may have been cut when it was copied.
    </Empty>
  );
}

export function Logo() {
  return (
    <svg
      width="22"
      height="22"
      viewBox="0 0 32 32"
      fill="none"
      stroke="currentColor"
      strokeWidth="2.6"
      strokeLinecap="round"
      strokeLinejoin="round"
      aria-hidden="true"
    >
      <path d="M3 8h26M4 8.500q5.500 15.500 12 15.500T28 8.500M10 18.500l6-10 6 10" />
    </svg>
  );
}
