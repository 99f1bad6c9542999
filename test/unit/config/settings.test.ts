import { expect } from 'chai';
import { controlSettings } from '../../../src/config/control-settings.ts';
import { choice, duration, list, onOff, port, text } from '../../../src/config/setting-kinds.ts';
import { describeSettings, readSettings } from '../../../src/config/settings.ts';

const table = {
  kubeconfig: text({ help: 'the file', shown: '<file>', fallback: '' }),
  nodeName: text({ help: 'the name of this node', shown: '<name>' }),
  listenPort: port({ help: 'the port', fallback: '10270' }),
  silentAfter: duration({ help: 'how long', fallback: '2m', leastMs: 1_000, mostMs: 3_600_000 }),
  format: choice({ help: 'the form', of: ['json', 'yaml'], fallback: 'yaml' }),
  pools: list({ help: 'the pools', shown: '<names>', fallback: '' }),
  verbose: onOff({ help: 'says more' }),
};

function read(args: readonly string[], env: Record<string, string> = {}) {
  const values = readSettings(table, args, env);
  if (!values.ok) {
    throw new Error(values.error.join('; '));
  }
  return values.value;
}

function mistakes(args: readonly string[], env: Record<string, string> = {}): readonly string[] {
  const values = readSettings(table, args, env);
  return values.ok ? [] : values.error;
}

describe('readSettings', () => {
  it('takes the usual values for what is not given', () => {
    expect(read(['--node-name', 'n1'])).to.deep.equal({
      kubeconfig: '',
      nodeName: 'n1',
      listenPort: 10270,
      silentAfter: 120_000,
      format: 'yaml',
      pools: [],
      verbose: false,
    });
  });

  it('reads flags in both forms, and switches without a value', () => {
    const values = read(['--node-name=n1', '--listen-port', '0', '--verbose', '--pools=a, b,,c']);

    expect(values).to.deep.include({
      nodeName: 'n1',
      listenPort: 0,
      verbose: true,
      pools: ['a', 'b', 'c'],
    });
  });

  it('reads the environment, and lets the flag win', () => {
    const env = { BERTH_NODE_NAME: 'from-env', BERTH_LISTEN_PORT: '1', BERTH_VERBOSE: 'true' };

    expect(read([], env)).to.deep.include({ nodeName: 'from-env', listenPort: 1, verbose: true });
    expect(read(['--listen-port=2'], env).listenPort).to.equal(2);
  });

  it('tells all mistakes at once, each with its source and what is allowed', () => {
    const found = mistakes(['--listen-port=70000', '--format=xml'], {
      BERTH_SILENT_AFTER: '2 minutes',
      BERTH_VERBOSE: 'yes',
    });

    expect(found).to.deep.equal([
      '--node-name (or BERTH_NODE_NAME) is missing: the name of this node',
      '--listen-port is "70000": a whole number from 0 to 65535 is allowed',
      'BERTH_SILENT_AFTER is "2 minutes": a duration from 1000ms to 3600000ms is allowed, such as 40s or 2m',
      '--format is "xml": allowed are json, yaml',
      'BERTH_VERBOSE is "yes": true or false is allowed',
    ]);
  });

  for (const value of ['', '-1', '1.5', '1e3', '0x10', ' 1', '65536', '9'.repeat(30)]) {
    it(`does not take "${value}" for a port`, () => {
      expect(mistakes([`--listen-port=${value}`, '--node-name=n1'])).to.have.lengthOf(1);
    });
  }

  for (const [value, ms] of [
    ['1000ms', 1_000],
    ['40s', 40_000],
    ['60m', 3_600_000],
    ['1h', 3_600_000],
  ] as const) {
    it(`reads the duration ${value}`, () => {
      expect(read(['--node-name=n1', `--silent-after=${value}`]).silentAfter).to.equal(ms);
    });
  }

  for (const value of ['', '40', '1.5h', '-1s', '999ms', '2h', '1d', 's', '9'.repeat(12)]) {
    it(`does not take "${value}" for a duration`, () => {
      expect(mistakes([`--silent-after=${value}`, '--node-name=n1'])).to.have.lengthOf(1);
    });
  }

  for (const args of [['--unknown=1'], ['-x'], ['leftover'], ['--listen-port']]) {
    it(`names what it does not understand in ${args.join(' ')}`, () => {
      const [mistake, ...others] = mistakes(['--node-name=n1', ...args]);

      expect(mistake).to.contain(args[0]?.split('=')[0]);
      expect(others).to.deep.equal([]);
    });
  }
});

describe('describeSettings', () => {
  const lines = describeSettings(table).split('\n');

  it('has a line for every setting: flag, meaning, default, variable', () => {
    expect(lines).to.have.lengthOf(Object.keys(table).length);
    expect(lines[1]).to.match(
      /^ {2}--node-name <name> +the name of this node \(required; BERTH_NODE_NAME\)$/,
    );
    expect(lines[2]).to.match(
      /--listen-port <port> +the port \(default 10270; BERTH_LISTEN_PORT\)$/,
    );
    expect(lines[4]).to.match(/--format <json\|yaml> /);
    expect(lines[0]).to.contain('default none');
    expect(lines[6]).to.match(/^ {2}--verbose +says more/);
  });
});

describe('the settings of control', () => {
  it('need nothing to be given', () => {
    const values = readSettings(controlSettings, [], {});

    expect(values.ok && values.value).to.deep.include({
      listenAddress: '127.0.0.1',
      port: 10270,
      opsPort: 10272,
      nodeSilentAfter: 120_000,
    });
  });
});
