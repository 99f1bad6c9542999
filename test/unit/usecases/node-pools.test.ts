import { expect } from 'chai';
import { err, ok } from '../../../src/model/result.ts';
import { NodePools, type PoolDeclaration } from '../../../src/usecases/node-pools.ts';
import type { StorageBackend } from '../../../src/usecases/ports.ts';

interface Spec {
  readonly source?: string;
  readonly wrong?: string;
}

const pool = (name: string, spec: Spec = {}, nodeSelector = {}): PoolDeclaration => ({
  name,
  nodeSelector,
  spec,
});

describe('the pools of a node', () => {
  let opened: string[];
  let pools: NodePools;
  const none = new Set<string>();

  beforeEach(() => {
    opened = [];
    pools = new NodePools((name, spec) => {
      const { source = name, wrong } = spec as Spec;
      if (wrong !== undefined) {
        return err(wrong);
      }
      const open = () => {
        opened.push(name);
        return {} as StorageBackend;
      };
      return ok({ backend: 'loop', source, gives: 'device', keepForMs: 1_000, open });
    });
  });

  it('are those whose selector the node meets in full', () => {
    const selector = { disk: 'fast', zone: 'a' };
    pools.update([pool('all'), pool('some', {}, selector)], { disk: 'fast' }, none);
    expect(pools.list().map(({ name }) => name)).to.deep.equal(['all']);

    pools.update([pool('all'), pool('some', {}, selector)], { disk: 'fast', zone: 'a' }, none);
    expect(pools.list().map(({ name }) => name)).to.deep.equal(['all', 'some']);
  });

  it('are opened once, and again when their spec has changed', () => {
    pools.update([pool('a')], {}, none);
    const before = pools.get('a')?.storage;
    pools.update([pool('a')], {}, none);
    expect(pools.get('a')?.storage).to.equal(before);

    pools.update([pool('a', { source: 'elsewhere' })], {}, none);
    expect(pools.get('a')?.storage).to.not.equal(before);
    expect(opened).to.deep.equal(['a', 'a']);
  });

  it('say what is wrong with their spec, and are usable again when it was mended', () => {
    pools.update([pool('a', { wrong: 'size is "x"' })], {}, none);
    expect(pools.get('a')).to.deep.include({ applies: true, problem: 'size is "x"' });

    pools.update([pool('a')], {}, none);
    expect(pools.get('a')).to.not.have.property('problem');
  });

  it('stay open for the volumes in them when they no longer apply', () => {
    pools.update([pool('a')], {}, none);
    const held = new Set(['a']);
    pools.update([pool('a', {}, { disk: 'fast' })], {}, held);
    expect(pools.get('a')).to.include({ applies: false });
    expect(pools.get('a')?.storage).to.not.equal(undefined);

    pools.update([], {}, held);
    expect(pools.get('a')?.storage).to.not.equal(undefined);
    expect(pools.get('a')?.problem).to.include('there is no StoragePool a');

    pools.update([], {}, none);
    expect(pools.get('a')).to.equal(undefined);
  });

  it('are known by name alone when nothing but volumes tells of them', () => {
    pools.update([], {}, new Set(['a']));

    expect(pools.get('a')).to.deep.include({ backend: 'unknown', applies: false });
  });

  it('do not share what they are made of: the first by name keeps it', () => {
    const declared = [pool('b', { source: 'x' }), pool('a', { source: 'x' })];
    pools.update(declared, {}, none);

    expect(pools.get('a')).to.not.have.property('problem');
    expect(pools.get('b')?.problem).to.include('x is the source of pool a already');
    expect(pools.get('b')?.storage).to.equal(undefined);
  });

  it('have names that make legal keys', () => {
    pools.update([pool('a.b')], {}, none);

    expect(pools.get('a.b')?.problem).to.include('the name is "a.b"');
  });
});
