// biome-ignore lint/style/noDefaultExport: AVA reads the default export.
export default {
  extensions: {ts: 'module'},
  files: ['test/**/*.test.ts'],
  timeout: '60s',
};
