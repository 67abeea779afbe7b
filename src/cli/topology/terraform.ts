import { Topology } from './topology.js';

/** Resources of the Terraform provider cyrilgdn/rabbitmq. */
export function terraform({ vhost, queues }: Topology): string {
  const labels = new Set<string>();
  const resources = queues.map(({ name, arguments: args }) => {
    const label = labelOf(name, labels);
    labels.add(label);
    return `resource "rabbitmq_queue" "${label}" {
  name  = ${text(name)}
  vhost = ${text(vhost)}

  settings {
    durable     = true
    auto_delete = false
    arguments_json = jsonencode({
${assignments(args)}
    })
  }
}`;
  });
  return ['# For a module that requires and configures the provider cyrilgdn/rabbitmq.', ...resources].join(
    '\n\n',
  );
}

/** In columns, as `terraform fmt` has them. */
function assignments(args: Readonly<Record<string, string | number>>): string {
  const width = Math.max(...Object.keys(args).map((name) => text(name).length));
  return Object.entries(args)
    .map(
      ([name, value]) =>
        `      ${text(name).padEnd(width)} = ${typeof value === 'string' ? text(value) : value}`,
    )
    .join('\n');
}

/** A string of the language: JSON's, in which `${` and `%{` would begin an expression. */
function text(value: string): string {
  return JSON.stringify(value).replace(/[$%](?=\{)/g, '$&$&');
}

/** Different for each queue, though not every character of a name may be in a label. */
function labelOf(name: string, others: ReadonlySet<string>): string {
  const label = name.replace(/[^A-Za-z0-9_-]/g, '_').replace(/^(?![A-Za-z_])/, '_');
  return others.has(label) ? labelOf(`${name}_`, others) : label;
}
