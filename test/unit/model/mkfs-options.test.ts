import { expect } from 'chai';
import fc from 'fast-check';
import { parseMkfsOptions, whyNotMkfsOptions } from '../../../src/model/mkfs-options.ts';
import { fsTypes, type FsType } from '../../../src/model/volume.ts';

const mistake = (fsType: FsType, text: string): string => {
  const parsed = parseMkfsOptions(fsType, text);
  return parsed.ok ? `taken: ${parsed.value.join(' ')}` : parsed.error;
};

describe('options for mkfs', () => {
  for (const [fsType, text] of [
    ['ext4', '-m 0 -E lazy_itable_init=0,lazy_journal_init=0'],
    ['ext4', '-O ^has_journal,quota -T largefile -i 65536 -J size=64 -m 0.5'],
    ['ext4', '-E root_owner=1000:1000,nodiscard'],
    ['xfs', '-K -m reflink=0,crc=1 -i size=1024 -l size=64m -n size=8k'],
    ['xfs', '-d su=64k,sw=4'],
    ['btrfs', '-M -n 4k --csum xxhash --features ^no-holes -d single'],
  ] as const) {
    it(`of ${fsType} may be ${text}`, () => {
      expect(parseMkfsOptions(fsType, ` ${text}  `)).to.deep.equal({
        ok: true,
        value: text.split(' '),
      });
    });
  }

  for (const [fsType, text, part] of [
    ['ext4', '', 'empty'],
    ['ext4', '   ', 'empty'],
    ['ext4', '-F', '"-F" is not an option'],
    ['ext4', '-FF', '"-FF"'],
    ['ext4', '-qF', '"-qF"'],
    ['ext4', '-m0', '"-m0"'],
    ['ext4', '-m', '-m needs a value'],
    ['ext4', '-m -F', '"-F": a number'],
    ['ext4', '-d /etc', '"/etc" has other characters'],
    ['ext4', '-l sdb', '"-l" is not an option'],
    ['ext4', '-z undo', '"-z"'],
    ['ext4', '-J device=sdb', '"device=sdb": allowed are size'],
    ['ext4', '-E offset=4096', '"offset=4096"'],
    ['ext4', '-E stride=4,offset=4096', '"offset=4096"'],
    ['ext4', '-E assume_storage_prezeroed', 'assume_storage_prezeroed'],
    ['ext4', '-U random', '"-U"'],
    ['ext4', '-L root', '"-L"'],
    ['ext4', '-n', '"-n"'],
    ['ext4', '-S', '"-S"'],
    ['ext4', '-m 0 sdb', '"sdb" is not an option'],
    ['ext4', "-O 'quota'", 'letters, digits and'],
    ['ext4', '-m 0;reboot', 'letters, digits and'],
    ['ext4', '-m $(x)', 'letters, digits and'],
    ['ext4', '-m 0\n-F', 'letters, digits and'],
    ['ext4', '-m\t0', 'letters, digits and'],
    ['ext4', '-O quota,', 'names are allowed'],
    ['xfs', '-f', '"-f"'],
    ['xfs', '-N', '"-N"'],
    ['xfs', '-l logdev=sdb', '"logdev=sdb"'],
    ['xfs', '-r rtdev=sdb', '"-r"'],
    ['xfs', '-d file,name=x', '"file"'],
    ['xfs', '-d size=16m', '"size=16m"'],
    ['xfs', '-m uuid=b3e1', '"uuid=b3e1"'],
    ['xfs', '-c options=x', '"-c"'],
    ['xfs', '-p proto', '"-p"'],
    ['btrfs', '-f', '"-f"'],
    ['btrfs', '--force', '"--force"'],
    ['btrfs', '--rootdir x', '"--rootdir"'],
    ['btrfs', '-b 64m', '"-b"'],
    ['btrfs', '--nodesize=4k', '"--nodesize=4k"'],
    ['btrfs', '-U x', '"-U"'],
    ['btrfs', '--', '"--"'],
    ['btrfs', '__proto__', '"__proto__"'],
    ['btrfs', 'constructor x', '"constructor"'],
  ] as const) {
    it(`of ${fsType} may not be ${JSON.stringify(text)}`, () => {
      expect(mistake(fsType, text)).to.include('mkfsOptions: ').and.include(part);
    });
  }

  it('are not endless', () => {
    expect(mistake('ext4', '-m 0 '.repeat(300))).to.include('1024 characters');
  });

  it('never reach a program with a path, a device, or a word that forces', () => {
    const word = fc.oneof(
      fc.constantFrom('-F', '-f', '--force', '/dev/sda', 'device=sda', '-m', '-O', '-E', '-K', '0'),
      fc.string(),
    );
    fc.assert(
      fc.property(fc.constantFrom(...fsTypes), fc.array(word), (fsType, words) => {
        if (whyNotMkfsOptions(fsType, words) === undefined) {
          expect(words.join(' ')).to.not.match(/\/|device|^-[Ff]$|--force/);
        }
      }),
    );
  });
});
