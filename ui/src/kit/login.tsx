import { KeyRound } from "lucide-react";
import { useState } from "react";
import * as client from "../api/client";
import { queryClient } from "../api/hooks";
import { Button, Problem } from "./kit";

/** Asks for the bearer token that the API wants. It is kept as long as the tab, and sent nowhere else. */
export function Login() {
  const [token, setToken] = useState("");
  const [error, setError] = useState<unknown>(
    client.hasToken() ? new Error("The token is not accepted here any more.") : null,
  );
  const enter = async () => {
    try {
      const answer = await fetch(client.apiUrl("status"), { headers: { Authorization: `Bearer ${token.trim()}` } });
      if (answer.status === 401) throw new Error("This token is not accepted.");
      client.setToken(token.trim());
      await queryClient.resetQueries();
    } catch (why) {
      setError(why);
    }
  };
  return (
    <main className="panel login">
      <KeyRound size={22} className="client" aria-hidden />
      <h1>This server asks for a token</h1>
      <p className="quiet">
        One of those in the file that it was started with (--api-token-file), or an ID token of its OpenID Connect
        issuer.
      </p>
      <form
        onSubmit={(e) => {
          e.preventDefault();
          void enter();
        }}
      >
        <label className="sr" htmlFor="token">
          Bearer token
        </label>
        <input
          id="token"
          className="field"
          type="password"
          autoComplete="off"
          placeholder="Bearer token"
          value={token}
          onChange={(e) => setToken(e.target.value)}
        />
        <Button type="submit" look="primary" disabled={!token.trim()}>
          Continue
        </Button>
        {error !== null && <Problem error={error} />}
      </form>
    </main>
  );
}
