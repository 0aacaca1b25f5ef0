import { defineConfig } from "vite";

// `npm run dev` serves the page from sources and asks a running gateway for the API: SLUICE_GATEWAY=http://127.0.0.1:8080 npm run dev
const gateway = process.env.SLUICE_GATEWAY ?? "http://127.0.0.1:8080";

export default defineConfig({
  build: { outDir: "dist", assetsDir: "assets", assetsInlineLimit: 0, target: "es2020", modulePreload: { polyfill: false } },
  server: { proxy: { "/api": gateway, "/metrics": gateway, "/healthz": gateway } },
});
