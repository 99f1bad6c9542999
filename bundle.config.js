import { chmod, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { build } from 'esbuild';

const require = createRequire(import.meta.url);

/** Packages that others use when they are there. They are not, and nothing is lost. */
const optional = ['bufferutil', 'encoding', 'utf-8-validate'];

/** What node-fetch takes where Node.js has no URL of its own. */
const replaced = { 'whatwg-url': 'node:url' };

/**
 * Packages that others ask for when they begin, for what few installations have: kubeconfigs in
 * YAML, OpenID Connect, tokens in the answers of programs, SOCKS proxies, traces. Loaded, they
 * would take some 4 MiB of every process.
 */
const loadedWhenUsed = [
  '@opentelemetry/api',
  'js-yaml',
  'jsonpath-plus',
  'openid-client',
  'socks-proxy-agent',
];

/**
 * Lets the bundler leave out what is never called. The client library is a thousand generated
 * files, of which Berth uses the reading of kubeconfigs and watches: without this each process
 * would carry all of them in memory.
 */
const withoutUnused = {
  name: 'without-unused',
  setup({ onResolve, onLoad, resolve }) {
    onResolve({ filter: /./ }, async ({ path, pluginData, ...from }) => {
      if (pluginData === 'asked' || optional.includes(path)) {
        return undefined;
      }
      if (path in replaced) {
        return { path: replaced[path], external: true };
      }
      const found = await resolve(path, { ...from, pluginData: 'asked' });
      if (loadedWhenUsed.includes(path) && from.importer.includes('/node_modules/')) {
        return { path: `${found.path}.cjs`, namespace: 'when-used', pluginData: found.path };
      }
      return found.path.includes('/@kubernetes/client-node/')
        ? { ...found, sideEffects: false }
        : found;
    });
    onLoad({ filter: /./, namespace: 'when-used' }, ({ pluginData }) => ({
      contents: whenUsed(pluginData),
      resolveDir: '/',
    }));
  },
};

/** A package that is loaded when one of its exports is used first. */
function whenUsed(path) {
  const name = JSON.stringify(path);
  const keys = Object.keys(require(path)).map((key) => JSON.stringify(key));
  const getters = keys.map((key) => `get ${key}() { return require(${name})[${key}]; }`);
  return `module.exports = { ${getters.join(', ')} };`;
}

// Packages in the older module format ask for Node's own modules by a function that a bundle lacks.
const banner = [
  "import { createRequire as createRequireOfBundle } from 'node:module';",
  'const require = createRequireOfBundle(import.meta.url);',
].join('\n');

await rm('dist', { recursive: true, force: true });
await build({
  entryPoints: { berth: 'src/main.ts' },
  outdir: 'dist',
  bundle: true,
  splitting: true,
  platform: 'node',
  target: 'node20',
  format: 'esm',
  sourcemap: true,
  // A process keeps the text that it runs: names and lines of errors come from the source maps.
  minifyWhitespace: true,
  external: optional,
  plugins: [withoutUnused],
  banner: { js: banner },
  logLevel: 'warning',
});
await chmod('dist/berth.js', 0o755);
