// biome-ignore lint/style/noDefaultExport: AVA reads the default export.
export default {
  extensions: {ts: 'module'},
  // Those want a real Knative: test/cluster/README.md.
  files: ['test/**/*.test.ts', ...(process.env.SLUICE_TEST_KNATIVE ? [] : ['!test/cluster/**'])],
  // Without any news, on a busy machine too. On a cluster a test may wait for its pods to go.
  timeout: process.env.SLUICE_TEST_KNATIVE ? '20m' : '5m',
};
