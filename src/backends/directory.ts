import { ok } from '../model/result.ts';
import type { Backend } from './backend.ts';
import { accountedCut, quotaCut } from './directory-cut.ts';
import { parseDirectoryOptions } from './directory-options.ts';
import { dropStaleLinks } from './shared/folder-links.ts';
import { allocatedFor } from './shared/folder-lookup.ts';
import { openFolderPool } from './shared/folder-pool.ts';
import { signsOfFilesystem } from './shared/folder-space.ts';
import { takesNoDevices } from './shared/options.ts';

/** Volumes are directories of one filesystem, kept to their size by a project quota or by nobody. */
export const directory: Backend = {
  parse: (source, devices) => {
    const options = devices ? takesNoDevices('directory') : parseDirectoryOptions(source);
    if (!options.ok) {
      return options;
    }
    const { directory, limit = Infinity, enforcement } = options.value;
    const cutFor = enforcement === 'none' ? accountedCut : quotaCut;
    return ok({
      source: `directory ${directory}`,
      directory,
      gives: 'directory',
      allocatedFor,
      signs: () => signsOfFilesystem(directory),
      open: (around) =>
        openFolderPool(
          { backend: 'directory', directory, limit },
          cutFor(options.value, around.run),
          around,
        ),
    });
  },
  dropStaleLinks,
};
