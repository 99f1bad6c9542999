import { lstat, open, readdir, rename, rm, statfs, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { bytes, type Bytes } from '../model/bytes.ts';
import { describeError, NoSpaceError } from '../model/errors.ts';
import { err, type Result } from '../model/result.ts';
import type { VolumeIdentity } from '../model/volume.ts';
import { errorCode, ifThere, syncDirectory } from '../platform/files.ts';
import { fileIdentity } from '../platform/loop-devices.ts';
import { isOutOfSpace } from '../platform/out-of-space.ts';
import { CommandError, type RunCommand } from '../platform/run-command.ts';
import { PoolUnusableError } from '../usecases/ports.ts';
import { encodeHeader, headerBytes, parseHeader, type ImageHeader } from './loop-header.ts';
import type { Allocation } from './loop-options.ts';
import { imageBytesFor, type FilesystemSize, type ImageSize } from './loop-space.ts';

const imageSuffix = '.img';
/** An image that is not whole yet; one that stays was left by a crash. */
const partialSuffix = '.img.partial';

export function imagePath(directory: string, name: string): string {
  return `${directory}/${name}${imageSuffix}`;
}

/** Names of all files that have the form of an image, without the suffix. */
export async function imageNames(directory: string): Promise<readonly string[]> {
  const names = await readdir(directory);
  return names
    .filter((name) => name.endsWith(imageSuffix))
    .map((name) => name.slice(0, -imageSuffix.length));
}

export async function removePartialImages(directory: string): Promise<void> {
  const names = await readdir(directory);
  const left = names.filter((name) => name.endsWith(partialSuffix));
  await Promise.all(left.map((name) => rm(`${directory}/${name}`, { force: true })));
}

/** A file with the name of an image. */
export interface Image extends ImageSize {
  readonly path: string;
  readonly kind: 'file' | 'directory' | 'other';
  /** See `fileIdentity`. */
  readonly file: string;
  /** What the file says of itself, or why that cannot be trusted. */
  readonly header: Result<ImageHeader, string>;
  /** The volume it says it is, also where that cannot be trusted. */
  readonly says?: VolumeIdentity;
}

/**
 * @returns the image, or nothing where no file has its name; nothing also for one that is just
 * on its way to another name, under which it is found in a moment
 */
export async function readImage(directory: string, name: string): Promise<Image | undefined> {
  const path = imagePath(directory, name);
  const stat = await ifThere(lstat(path, { bigint: true }));
  if (stat === undefined) {
    return undefined;
  }
  const size = { size: bytes(Number(stat.size)), used: bytes(Number(stat.blocks) * 512) };
  const kind = stat.isFile() ? 'file' : stat.isDirectory() ? 'directory' : 'other';
  const facts = { path, kind, file: fileIdentity(stat), ...size } as const;
  if (kind !== 'file') {
    return { ...facts, header: err('it is not a regular file') };
  }
  const header = await readHeader(path);
  if (!header.ok) {
    return { ...facts, header };
  }
  const says = { name: header.value.name, volumeUid: header.value.volumeUid };
  if (says.name !== name) {
    const reason = `its header says that it is ${says.name}`;
    return (await isMoving(directory, name, header.value))
      ? undefined
      : { ...facts, header: err(reason), says };
  }
  if (size.size < imageBytesFor(header.value.bytes)) {
    return { ...facts, header: err(`it was cut to ${size.size} bytes`), says };
  }
  return { ...facts, header, says };
}

async function isMoving(directory: string, name: string, header: ImageHeader): Promise<boolean> {
  const isTaken = await ifThere(lstat(imagePath(directory, header.name)));
  return header.adoptedFrom === name && isTaken === undefined;
}

export async function readHeader(path: string): Promise<Result<ImageHeader, string>> {
  let handle: FileHandle | undefined;
  try {
    handle = await open(path, 'r');
    const block = Buffer.alloc(headerBytes);
    const { bytesRead } = await handle.read(block, 0, headerBytes, 0);
    return parseHeader(block.subarray(0, bytesRead));
  } catch (error) {
    return err(`its header cannot be read: ${describeError(error)}`);
  } finally {
    await handle?.close();
  }
}

/** Sizes only, without a look into the files. */
export async function imageSizes(
  directory: string,
): Promise<readonly (ImageSize & { readonly name: string })[]> {
  const names = await imageNames(directory);
  const sizes = await Promise.all(
    names.map(async (name) => {
      const stat = await ifThere(lstat(imagePath(directory, name)));
      return stat && { name, size: bytes(stat.size), used: bytes(stat.blocks * 512) };
    }),
  );
  return sizes.filter((size) => size !== undefined);
}

export async function filesystemSize(directory: string): Promise<FilesystemSize> {
  const { bsize, blocks, bfree, bavail } = await statfs(directory);
  return { capacity: bytes((blocks - (bfree - bavail)) * bsize), available: bytes(bavail * bsize) };
}

export interface NewImage {
  readonly directory: string;
  readonly header: ImageHeader;
  readonly allocation: Allocation;
  readonly run: RunCommand;
  readonly signal: AbortSignal;
}

/**
 * Makes an image, whole or not at all: it gets its name only when header and size are on the
 * medium.
 * @throws NoSpaceError when the filesystem has not enough room
 */
export async function createImage(image: NewImage): Promise<void> {
  const { directory, header } = image;
  const partial = `${directory}/${header.name}${partialSuffix}`;
  await rm(partial, { force: true });
  try {
    await writePartial(partial, image);
    await rename(partial, imagePath(directory, header.name));
    await syncDirectory(directory);
  } catch (error) {
    await rm(partial, { force: true });
    throw noRoomError(error, partial, imageBytesFor(header.bytes));
  }
}

async function writePartial(partial: string, image: NewImage): Promise<void> {
  const { header, allocation, run, signal } = image;
  const size = imageBytesFor(header.bytes);
  const handle = await open(partial, 'wx', 0o600);
  try {
    if (allocation === 'preallocated') {
      await run('fallocate', ['--length', String(size), partial], signal);
    } else {
      await handle.truncate(size);
    }
    await handle.write(encodeHeader(header), 0, headerBytes, 0);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** What an error means that came up while a file of a pool was to get `size` bytes. */
export function noRoomError(error: unknown, path: string, size: Bytes): unknown {
  const said = error instanceof CommandError ? error.stderr : '';
  const directory = dirname(path);
  if (isOutOfSpace(error)) {
    return new NoSpaceError(`the filesystem of ${directory} has no room for ${size} bytes`);
  }
  if (errorCode(error) === 'EFBIG' || said.includes('File too large')) {
    return new NoSpaceError(`the filesystem of ${directory} allows no file of ${size} bytes`);
  }
  if (said.includes('not supported')) {
    return new PoolUnusableError(
      `loop.allocation is "preallocated": the filesystem of ${directory} cannot do that, "sparse" is allowed`,
    );
  }
  return error;
}

/** Writes the header of an image anew: one block, so it is old or new at any moment. */
export async function writeHeader(path: string, header: ImageHeader): Promise<void> {
  const handle = await open(path, 'r+');
  try {
    await handle.write(encodeHeader(header), 0, headerBytes, 0);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Takes an image away for good. */
export async function removeImage(directory: string, name: string): Promise<void> {
  await rm(imagePath(directory, name), { force: true });
  await syncDirectory(directory);
}
