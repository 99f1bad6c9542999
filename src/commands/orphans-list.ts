import type { orphansListSettings } from '../config/orphans-settings.ts';
import { openCluster } from '../kube/client.ts';
import type { StorageNodeObject } from '../kube/custom-objects.ts';
import { resourcePath } from '../kube/paths.ts';
import { toOrphanStanding } from '../kube/storage-nodes.ts';
import { formatBytes } from '../model/bytes.ts';
import { formatSpan } from '../model/keep-for.ts';
import type { OrphanStanding } from '../usecases/node-ports.ts';
import type { Run } from './command.ts';

/** Shows what lies in the pools and nobody asks for. */
export const orphansList: Run<typeof orphansListSettings> = async (given, { out }) => {
  const { kubeconfig: file, node, pool } = given;
  const { api } = openCluster(file);
  const path = resourcePath('storagenodes');
  const { items } = await api.get<{ items: StorageNodeObject[] }>(path);
  const rows = items
    .filter(({ metadata }) => node === '' || metadata.name === node)
    .flatMap(({ metadata, status }) =>
      (status?.orphans ?? [])
        .filter((orphan) => pool === '' || orphan.pool === pool)
        .map((orphan) => toRow(metadata.name, toOrphanStanding(orphan), Date.now())),
    );
  out(rows.length === 0 ? 'no orphans' : formatTable([columns, ...rows]));
};

const columns = ['NODE', 'POOL', 'NAME', 'SIZE', 'USABLE', 'AGE', 'REMOVED', 'REASON'];

function toRow(node: string, orphan: OrphanStanding, now: number): readonly string[] {
  const { pool, name, bytes, usableBytes, since, removedAt, reason } = orphan;
  const age = formatSpan(Math.max(0, now - Date.parse(since)));
  const left = removedAt === undefined ? undefined : Date.parse(removedAt) - now;
  const removed =
    left === undefined ? 'never' : left > 0 ? `in ${formatSpan(left)}` : 'any moment now';
  const usable = usableBytes === undefined ? '-' : formatBytes(usableBytes);
  return [node, pool, name, formatBytes(bytes), usable, age, removed, reason];
}

function formatTable(rows: readonly (readonly string[])[]): string {
  const widths = columns.map((_, n) => Math.max(...rows.map((row) => row[n]?.length ?? 0)));
  return rows
    .map((row) =>
      row
        .map((cell, n) => cell.padEnd(widths[n] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
