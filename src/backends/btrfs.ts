import { ok } from '../model/result.ts';
import type { Backend } from './backend.ts';
import { btrfsCut } from './btrfs-cut.ts';
import { parseBtrfsOptions } from './btrfs-options.ts';
import { dropStaleLinks } from './shared/folder-links.ts';
import { allocatedFor } from './shared/folder-lookup.ts';
import { openFolderPool } from './shared/folder-pool.ts';
import { signsOfFilesystem } from './shared/folder-space.ts';
import { takesNoDevices } from './shared/options.ts';

/** Volumes are subvolumes of a btrfs filesystem, kept to their size by its quota groups. */
export const btrfs: Backend = {
  parse: (source, devices) => {
    const options = devices ? takesNoDevices('btrfs') : parseBtrfsOptions(source);
    if (!options.ok) {
      return options;
    }
    const { directory, limit = Infinity } = options.value;
    return ok({
      source: `directory ${directory}`,
      directory,
      gives: 'directory',
      allocatedFor,
      signs: () => signsOfFilesystem(directory),
      open: (around) =>
        openFolderPool(
          { backend: 'btrfs', directory, limit },
          btrfsCut(options.value, around.run),
          around,
        ),
    });
  },
  dropStaleLinks,
};
