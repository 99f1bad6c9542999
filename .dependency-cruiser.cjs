/** Which folder of src/ may import which. The first rows are the innermost rings. */
const may = {
  model: [],
  scheduling: ['model'],
  admission: ['model'],
  broker: ['model'],
  usecases: ['model', 'scheduling', 'admission', 'broker'],
  platform: ['model', 'usecases'],
  config: ['model', 'scheduling', 'broker', 'backends'],
  kube: ['model', 'scheduling', 'broker', 'usecases', 'platform'],
  backends: ['model', 'usecases', 'platform'],
  certs: ['model', 'usecases', 'platform'],
  http: ['model', 'scheduling', 'admission', 'broker', 'usecases', 'platform'],
  commands: [
    'model',
    'scheduling',
    'admission',
    'broker',
    'usecases',
    'platform',
    'config',
    'kube',
    'backends',
    'certs',
    'http',
  ],
};
const pure = ['model', 'scheduling', 'admission', 'broker', 'usecases'];

const rings = Object.entries(may).map(([folder, allowed]) => ({
  name: `imports-of-${folder}`,
  comment: `src/${folder} may import only: ${[folder, ...allowed].join(', ')}`,
  severity: 'error',
  from: { path: `^src/${folder}/` },
  to: { path: '^src/', pathNot: `^src/(${[folder, ...allowed].join('|')})/` },
}));

module.exports = {
  forbidden: [
    ...rings,
    {
      name: 'no-cycles',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    {
      name: 'pure-inside',
      comment: 'Decisions touch neither Node.js nor packages: facts in, verdict out.',
      severity: 'error',
      from: { path: `^src/(${pure.join('|')})/` },
      to: { pathNot: '^src/' },
    },
    {
      name: 'backends-are-strangers',
      comment:
        'A backend (x.ts and its parts x-*.ts) knows the contract and what is shared, never another backend; the registry knows all.',
      severity: 'error',
      from: { path: '^src/backends/(?!index|backend\\.)([a-z0-9]+)' },
      to: { path: '^src/backends/', pathNot: '^src/backends/($1[-./]|backend\\.ts|shared/)' },
    },
    {
      name: 'one-place-runs-commands',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/platform/' },
      to: { path: '^(node:)?child_process$' },
    },
    {
      name: 'agents-stay-small',
      comment: 'An agent runs on every node: what its role imports is held in memory there.',
      severity: 'error',
      from: { path: '^src/commands/node\\.ts$' },
      to: { path: 'node_modules/(ajv|express|js-yaml|node-forge)/', reachable: true },
    },
    {
      name: 'no-tests-in-the-product',
      severity: 'error',
      from: { path: '^src/' },
      to: { path: '^test/' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'node'] },
  },
};
