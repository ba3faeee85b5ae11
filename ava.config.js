// biome-ignore lint/style/noDefaultExport: AVA reads the default export.
export default {
  extensions: {ts: 'module'},
  // Those want a real Knative: test/cluster/README.md.
  files: ['test/**/*.test.ts', ...(process.env.SLUICE_TEST_KNATIVE ? [] : ['!test/cluster/**'])],
  timeout: '60s',
};
