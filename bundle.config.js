import { chmod, rm } from 'node:fs/promises';
import { build } from 'esbuild';

/** Packages that others use when they are there. They are not, and nothing is lost. */
const optional = ['bufferutil', 'encoding', 'utf-8-validate'];

/**
 * Lets the bundler leave out what is never called. The client library is a thousand generated
 * files, of which Berth uses the reading of kubeconfigs and watches: without this each process
 * would carry all of them in memory.
 */
const withoutUnused = {
  name: 'without-unused',
  setup({ onResolve, resolve }) {
    onResolve({ filter: /./ }, async ({ path, pluginData, ...from }) => {
      if (pluginData === 'asked' || optional.includes(path)) {
        return undefined;
      }
      const found = await resolve(path, { ...from, pluginData: 'asked' });
      return found.path.includes('/@kubernetes/client-node/')
        ? { ...found, sideEffects: false }
        : found;
    });
  },
};

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
  external: optional,
  plugins: [withoutUnused],
  banner: { js: banner },
  logLevel: 'warning',
});
await chmod('dist/berth.js', 0o755);
