import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

// Everything is addressed relative to index.html, so that the console works below any path of a proxy.
export default defineConfig({
  base: "./",
  plugins: [react()],
  build: {
    outDir: "dist/app",
    // Nothing becomes a data: URL, which the Content-Security-Policy would have to allow.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
  },
  worker: { format: "es" },
  server: { proxy: { "/api": "http://127.0.0.1:8080" } },
});
