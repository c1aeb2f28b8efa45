// The same question for a terminal.
import type { Request } from "../../api/types";
import type { Period } from "../../state/period";

export function shellQuote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

/** The seine command that shows what a table of rows shows. */
export function cliCommand(period: Period, filter: string, limit: number, api: string): string {
  const when =
    "last" in period
      ? `--since ${period.last}`
      : `--since ${new Date(period.from).toISOString()} --until ${new Date(period.to).toISOString()}`;
  const where = api === "http://127.0.0.1:8080" ? "" : ` --api ${shellQuote(api)}`;
  return `seine flows ${filter ? `${shellQuote(filter)} ` : ""}${when} --limit ${limit}${where}`;
}

/** The request as curl sends it; a token stands for itself, it is never copied. */
export function curlCommand(request: Request, api: string, withToken: boolean): string {
  const header = withToken ? ` -H "Authorization: Bearer $SEINE_TOKEN"` : "";
  return `curl -s ${shellQuote(`${api}/api/v1/query`)}${header} -d ${shellQuote(JSON.stringify(request))}`;
}
