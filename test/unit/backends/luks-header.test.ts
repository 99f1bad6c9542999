import { expect } from 'chai';
import { namedAs, parseHeader } from '../../../src/backends/shared/luks-header.ts';
import { volumeNamed } from '../../support/identities.ts';

/** What cryptsetup 2.6 prints, without what nobody reads. */
function dump(label: string, subsystem: string, keyslots: string, offset = 16_777_216): string {
  return `LUKS header information
Version:       \t2
Epoch:         \t4
Metadata area: \t16384 [bytes]
Keyslots area: \t16744448 [bytes]
UUID:          \t0f6b1a0e-8b7c-4a5e-9d52-2d2f6d7a0b11
Label:         \t${label}
Subsystem:     \t${subsystem}
Flags:       \t(no flags)

Data segments:
  0: crypt
\toffset: ${offset} [bytes]
\tlength: (whole device)
\tcipher: aes-xts-plain64
\tsector: 512 [bytes]

Keyslots:
${keyslots}Tokens:
Digests:
  0: pbkdf2
\tHash:       sha256
`;
}

const slot = (n: number): string => `  ${n}: luks2
\tKey:        512 bits
\tPriority:   normal
\tPBKDF:      pbkdf2
\tArea offset:32768 [bytes]
`;

describe('the header of an encrypted device', () => {
  const volume = volumeNamed('one');

  function saysOf(names: readonly string[]): [label: string, subsystem: string] {
    const [, label = '', , subsystem = ''] = names;
    return [label, subsystem];
  }

  for (const isPartial of [false, true]) {
    it(`says whose it is, ${isPartial ? 'half made' : 'whole'}, in what LUKS2 keeps of it`, () => {
      const [label, subsystem] = saysOf(namedAs(volume, isPartial));

      expect(Math.max(label.length, subsystem.length)).to.be.at.most(47);
      expect(parseHeader(dump(label, subsystem, slot(0)), '/dev/x')).to.deep.equal({
        ...{ owner: volume, partial: isPartial, keys: 1 },
      });
    });
  }

  it('says how many keys open it', () => {
    const names = saysOf(namedAs(volume, false));

    expect(parseHeader(dump(...names, ''), '/dev/x')).to.deep.include({ owner: volume, keys: 0 });
    expect(parseHeader(dump(...names, slot(0) + slot(3)), '/dev/x')).to.include({ keys: 2 });
  });

  it('is nobody’s that was made by others', () => {
    for (const [label, subsystem] of [
      ['(no label)', '(no subsystem)'],
      ['data', 'backup'],
    ] as const) {
      const header = parseHeader(dump(label, subsystem, slot(0)), '/dev/x');
      expect(header).to.deep.equal({ partial: false, keys: 1 });
    }
  });

  it('is not believed where its data begins elsewhere', () => {
    const names = saysOf(namedAs(volume, false));

    expect(() => parseHeader(dump(...names, slot(0), 4096), '/dev/x')).to.throw('/dev/x');
  });
});
