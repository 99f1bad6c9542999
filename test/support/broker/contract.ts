import { Ajv } from 'ajv';
import { expect } from 'chai';
import { contract, type Case } from './contract-cases.ts';
import type { Ask, Platform } from './platform.ts';
import { schemas } from './schemas.ts';
import { states } from './states.ts';

const ajv = new Ajv({ strictTypes: false });

/** Runs the whole contract, each case with an instance of its own. */
export function describeContract(platform: () => Platform): void {
  let count = 0;
  for (const [endpoint, cases] of Object.entries(contract)) {
    describe(endpoint, () => {
      for (const one of cases) {
        count += 1;
        const id = `contract-${count}`;
        it(`${one.state}: ${one.what} -> ${one.status} ${one.error ?? ''}`.trim(), async () => {
          await states[one.state](platform(), id);
          const before = one.sameOperation === true ? await platform().operation(id) : undefined;
          await expectAnswer(platform(), one, { id, before });
        });
      }
    });
  }
}

export function contractSize(): number {
  return Object.values(contract).flat().length;
}

async function expectAnswer(
  platform: Platform,
  { ask, status, schema, error, has = {}, sameOperation, header }: Case,
  { id, before }: { readonly id: string; readonly before: unknown },
): Promise<void> {
  const answered = await platform.ask(ask(id));
  const { body } = answered;
  const shown = JSON.stringify(body);
  expect(answered.status, shown).to.equal(status);
  expect(answered.headers.get('content-type')).to.match(/^application\/json/);
  expect(ajv.validate(schemas[schema], body), `${shown}: ${ajv.errorsText()}`).to.equal(true);
  if (error !== undefined) {
    expect(body['error']).to.equal(error);
  }
  expectFlags(ask(id), status, body);
  for (const [name, value] of Object.entries(has)) {
    expect(body[name], name).to.deep.equal(value);
  }
  if (sameOperation === true) {
    expect(body['operation']).to.be.a('string').and.equal(before);
  }
  if (header !== undefined) {
    expect(answered.headers.get(header[0]) ?? '').to.match(header[1]);
  }
}

/** What is said of an instance after a failure belongs to updates and deprovisioning alone. */
function expectFlags(
  { method = 'GET', path }: Ask,
  status: number,
  body: Readonly<Record<string, unknown>>,
): void {
  const isOfBinding = path.includes('/service_bindings/');
  const told = Object.keys(body).filter((name) => flags.includes(name));
  const hasFailed = status >= 400 || body['state'] === 'failed';
  const allowed = isOfBinding || !hasFailed ? [] : (flagsOf[method] ?? []);
  expect(allowed, `${method} ${path}`).to.include.members(told);
}

const flags = ['instance_usable', 'update_repeatable'];
const flagsOf: Readonly<Record<string, readonly string[]>> = {
  // Of a poll: by what was begun, which the cases say.
  GET: flags,
  PATCH: flags,
  DELETE: ['instance_usable'],
};
