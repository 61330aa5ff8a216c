/** The dashboard is built into dist/dashboard, from which `millrace serve` serves it. */
export default {
  root: import.meta.dirname,
  base: '/',
  build: {
    outDir: '../dist/dashboard',
    emptyOutDir: true,
    // Its policy allows no inline scripts and styles.
    assetsInlineLimit: 0,
    modulePreload: false,
    target: 'es2022',
  },
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
};
