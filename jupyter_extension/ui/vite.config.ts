import react from '@vitejs/plugin-react';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  // The server puts the real path in: it knows its base URL only when it runs.
  base: '/__moonlight_base__/',
  plugins: [react()],
  build: {
    outDir: '../moonlight_jupyter/static',
    emptyOutDir: true,
    target: 'es2020',
    // The polyfill would be one more script; every browser that decodes the stream has modulepreload.
    modulePreload: { polyfill: false },
    // Only index.html gets its base replaced, so scripts and styles must not refer to other files.
    assetsInlineLimit: Number.MAX_SAFE_INTEGER,
    cssCodeSplit: false,
  },
  test: {
    include: ['test/**/*.test.ts'],
    environment: 'node',
    // Those of JupyterLab are modules that only bundlers take for such.
    server: { deps: { inline: [/@jupyterlab/, /@lumino/] } },
  },
});
