import { Topology } from './topology.js';

/** RabbitMQ's definitions, as `rabbitmqctl import_definitions` and the management page take them. */
export function definitions({ vhost, queues }: Topology): string {
  return JSON.stringify(
    {
      queues: queues.map(({ name, arguments: args }) => ({
        name,
        vhost,
        durable: true,
        auto_delete: false,
        arguments: args,
      })),
    },
    null,
    2,
  );
}

/**
 * The same as commands for a shell on a node of the broker. By way of a file, which the broker's own user must be able to
 * read: `rabbitmqctl` of RabbitMQ 4.3 may fail on standard input (`prim_tty:read`).
 */
export function importCommands(topology: Topology): string {
  return `file=$(mktemp) && chmod 644 "$file" && cat > "$file" <<'JSON'
${definitions(topology)}
JSON
rabbitmqctl import_definitions "$file" && rm "$file"`;
}
