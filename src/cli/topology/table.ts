import { Topology } from './topology.js';

/** For people: a line for each argument and each permission. */
export function topologyTable({ vhost, queues, permissions }: Topology): string {
  const queueRows = queues.flatMap(({ name, arguments: args }) =>
    Object.entries(args).map(([argument, value], index) => [
      index === 0 ? name : '',
      argument,
      value === '' ? "'' (empty)" : String(value),
    ]),
  );
  const permissionRows = permissions.map(({ use, configure, write, read }) => [use, configure, write, read]);
  return `Queues in the virtual host '${vhost}': each durable, not exclusive, not auto-delete

${columns([['queue', 'argument', 'value'], ...queueRows])}

What the worker's user needs (\`rabbitmqctl set_permissions\`), as regular expressions

${columns([['for', 'configure', 'write', 'read'], ...permissionRows])}`;
}

function columns(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
