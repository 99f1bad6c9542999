import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';

import { expect } from 'chai';
import { loadAll } from 'js-yaml';

import { parsePoolSpec } from '../../src/backends/index.ts';
import { findCommand } from '../../src/commands/index.ts';
import { describeSettings } from '../../src/config/settings.ts';
import { parseClassParameters } from '../../src/model/storage-class.ts';
import type { Cluster } from '../cluster/cluster.ts';
import { startCluster } from '../cluster/start-cluster.ts';
import { Installation } from '../support/installation.ts';

const root = join(import.meta.dirname, '../..');
const docs = [
  ...['README.md', 'CHANGELOG.md', 'test/cluster/README.md', 'webhook-certs/README.md'],
  ...filesBelow('docs', '.md'),
];

function filesBelow(folder: string, suffix: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith(suffix))
    .map((name) => join(folder, name));
}

function read(file: string): string {
  return readFileSync(join(root, file), 'utf8');
}

/** What a reader could type: spans in backticks, and the lines of code blocks. */
function codeOf(text: string): string[] {
  const joined = text.replace(/\\\n\s*/g, ' ');
  const fence = /^ *```[a-z]*\n([^]*?)^ *```$/gm;
  const fenced = [...joined.matchAll(fence)].flatMap(([, block = '']) => block.split('\n'));
  const prose = joined.replace(fence, '');
  const indented = prose.split('\n').filter((line) => /^ {4,}/.test(line));
  const spans = [...prose.matchAll(/`([^`]+)`/g)].map(([, span = '']) => span);
  return [...fenced, ...indented, ...spans].map((line) => line.trim().replace(/\s+/g, ' '));
}

/** Paths that begin with a folder of the project, wherever in the text they stand. */
function pathsIn(text: string): string[] {
  const folders = '(?:src|test|docs|manifests|webhook-certs)';
  const found = text.matchAll(new RegExp(`(?<![\\w./-])${folders}/[\\w./*-]+`, 'g'));
  return [...found]
    .map(([path]) => path.replace(/[.]+$/, ''))
    .filter((path) => !path.includes('NAME'));
}

/** Made by those who build or measure, and not kept. */
const generated = ['test/bench/results.json', 'webhook-certs/tls.crt', 'webhook-certs/tls.key'];

describe('README and docs', () => {
  const targets = new Set([...read('Makefile').matchAll(/^([a-z0-9-]+):/gm)].map(([, t]) => t));
  const source = filesBelow('src', '.ts').map(read).join('\n');

  it('begin with the two commands that matter most', () => {
    expect(codeOf(read('README.md')).slice(0, 2)).to.satisfy(
      ([first, second]: string[]) =>
        first?.startsWith('make demo') && second?.startsWith('make test'),
    );
  });

  for (const doc of docs) {
    describe(doc, () => {
      const text = read(doc);
      const code = codeOf(text);

      it('names targets that make has', () => {
        const named = code.flatMap((line) => [
          ...line.matchAll(/^(?:[A-Z_]+=\S+ )*make ([a-z][a-z0-9-]*)/g),
        ]);

        const missing = named.map(([, target]) => target).filter((target) => !targets.has(target));
        expect(missing).to.deep.equal([]);
      });

      it('names files that exist', () => {
        const missing = pathsIn(text).filter((path) => {
          const fixed = path.includes('*') ? dirname(path) : path;
          return !existsSync(join(root, fixed)) && !generated.includes(path);
        });
        expect(missing).to.deep.equal([]);
      });

      it('links to files that exist', () => {
        const links = [...text.matchAll(/\]\((?!https?:)([^)#]+)(?:#[^)]*)?\)/g)];
        const missing = links
          .map(([, link = '']) => join(root, dirname(doc), link))
          .filter((file) => !existsSync(file))
          .map((file) => relative(root, file));
        expect(missing).to.deep.equal([]);
      });

      it('names commands of berth, and flags, that exist', () => {
        expect(code.flatMap(mistakesOfCommand)).to.deep.equal([]);
      });

      it('names metrics and events that the sources have', () => {
        const metrics = [...text.matchAll(/\bberth_[a-z_]+[a-z]/g)].map(([name]) =>
          name.replace(/_(count|sum|bucket)$/, ''),
        );
        const events = code.filter((span) =>
          /^(Berth|Volume|Pool|Orphan|Purge|Adoption)[A-Z]\w+$/.test(span),
        );

        const foreign = ['VolumeBinding'];
        const missing = [...metrics, ...events].filter(
          (name) => !source.includes(`'${name}'`) && !foreign.includes(name),
        );
        expect(missing).to.deep.equal([]);
      });
    });
  }
});

/** What is wrong with a line that calls `berth`, in the source or compiled; nothing for others. */
function mistakesOfCommand(line: string): string[] {
  const match =
    /^(?:kubectl )?(?:berth|(?:npx tsx src\/main\.ts|node dist\/berth\.js)) ([a-z][a-z-]*)(.*)$/.exec(
      line,
    );
  if (!match) {
    return [];
  }
  const [, first = '', after = ''] = match;
  const { word: name, args, command } = findCommand([first, ...after.trim().split(' ')]);
  const rest = args.join(' ');
  if (!command) {
    return [`berth ${name}`];
  }
  const described = describeSettings(command.settings).matchAll(/^ *--([a-z-]+)/gm);
  const known = ['help', ...[...described].map(([, flag]) => flag)];
  const flags = [...rest.matchAll(/--([a-z][a-z-]*)/g)].map(([, flag = '']) => flag);
  return flags.filter((flag) => !known.includes(flag)).map((flag) => `berth ${name} --${flag}`);
}

interface Example {
  kind: string;
  metadata: { name: string };
  spec?: unknown;
  parameters?: Record<string, string>;
}

/** Whether all that `part` says is said by `whole` too. */
function isPartOf(part: unknown, whole: unknown): boolean {
  if (typeof part !== 'object' || part === null) {
    return part === whole;
  }
  return (
    typeof whole === 'object' &&
    whole !== null &&
    Object.entries(part).every(([key, value]) =>
      isPartOf(value, (whole as Record<string, unknown>)[key]),
    )
  );
}

describe('the objects in the README', function () {
  this.timeout(120_000);
  const blocks = [...read('README.md').matchAll(/^```yaml\n([^]*?)^```/gm)];
  const examples = blocks.flatMap(([, yaml = '']) => loadAll(yaml) as Example[]);
  let cluster: Cluster;

  before(async () => {
    cluster = await startCluster();
    await Installation.on(cluster);
  });

  after(() => cluster.stop());

  it('are a pool, a class and who uses it', () => {
    const kinds = examples.map(({ kind }) => kind);
    expect(kinds).to.deep.equal(['StoragePool', 'StorageClass', 'StatefulSet']);
  });

  for (const example of examples) {
    const { kind, metadata, spec, parameters } = example;

    it(`say of ${kind} ${metadata.name} what the examples in the manifests say`, () => {
      const all = filesBelow('manifests/examples', '.yaml').flatMap(
        (file) => loadAll(read(file)) as Partial<Example>[],
      );
      const same = all.find(
        (one) => one.kind === kind && one.metadata?.name === example.metadata.name,
      );
      expect(isPartOf(example, same)).to.equal(true);
    });

    it(`have a ${kind} that the API server takes`, async () => {
      const input = JSON.stringify(example);
      const args = ['create', '--dry-run=server', '-o', 'name', '-f', '-'];
      expect(await cluster.kubectl(args, { input })).to.contain(metadata.name);
    });

    if (kind === 'StoragePool') {
      it('have a pool that agents understand', () => {
        expect(parsePoolSpec(spec)).to.include({ ok: true });
      });
    }
    if (kind === 'StorageClass') {
      it('have a class whose parameters are understood', () => {
        expect(parseClassParameters(parameters ?? {})).to.include({ ok: true });
      });
    }
  }
});
