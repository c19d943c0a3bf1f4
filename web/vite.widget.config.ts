// The widget's build: `kefu.js` (the loader, one stable name) and one hashed chunk with the panel.
import { defineConfig } from 'vite'

export default defineConfig({
  root: import.meta.dirname,
  // Chunks are found relative to kefu.js itself, wherever a page loads it from.
  base: './',
  publicDir: 'public',
  build: {
    outDir: 'dist',
    emptyOutDir: false,
    target: 'es2022',
    modulePreload: false,
    cssCodeSplit: false,
    reportCompressedSize: false,
    rolldownOptions: {
      input: { kefu: 'widget/loader.ts' },
      output: {
        format: 'es',
        entryFileNames: '[name].js',
        chunkFileNames: 'widget-[name]-[hash].js',
      },
    },
  },
})
