import { describe, expect, it } from '@jest/globals';
import { definitions, importCommands } from './definitions.js';
import { permissionsOf } from './permissions.js';
import { topologyTable } from './table.js';
import { terraform } from './terraform.js';
import { Topology } from './topology.js';

const queue = (name: string, args: Record<string, string | number> = { 'x-queue-type': 'quorum' }) => ({
  name,
  arguments: args,
});
const topology = (...queues: Topology['queues'][number][]): Topology => ({
  vhost: 'team',
  queues,
  permissions: [{ use: 'TOPOLOGY=none', configure: '^$', write: '^w$', read: '^r$' }],
});

describe('definitions', () => {
  it('are what RabbitMQ imports: each queue durable, in its virtual host', () => {
    const args = { 'x-queue-type': 'quorum', 'x-message-ttl': 1000 };
    expect(JSON.parse(definitions(topology(queue('jobs.retry.1000', args))))).toEqual({
      queues: [
        { name: 'jobs.retry.1000', vhost: 'team', durable: true, auto_delete: false, arguments: args },
      ],
    });
  });

  it('are given to rabbitmqctl by a script in which no name means anything to the shell', () => {
    const script = importCommands(topology(queue('$(halt) `halt`')));
    expect(script.split('\n')[0]).toMatch(/<<'JSON'$/);
    expect(script).toContain('rabbitmqctl import_definitions');
  });
});

describe('terraform', () => {
  it('has a resource for each queue, with numbers as numbers', () => {
    expect(terraform(topology(queue('jobs', { 'x-queue-type': 'quorum', 'x-delivery-limit': 5 })))).toContain(
      `resource "rabbitmq_queue" "jobs" {
  name  = "jobs"
  vhost = "team"

  settings {
    durable     = true
    auto_delete = false
    arguments_json = jsonencode({
      "x-queue-type"     = "quorum"
      "x-delivery-limit" = 5
    })
  }
}`,
    );
  });

  it('gives different labels to queues whose names differ in characters that a label cannot have', () => {
    const text = terraform(topology(queue('a.b'), queue('a_b'), queue('a b'), queue('1')));
    const labels = [...text.matchAll(/"rabbitmq_queue" "(.*)" \{/g)].map(([, label]) => label);
    expect(labels).toEqual(['a_b', 'a_b_', 'a_b__', '_1']);
  });

  it('has no expressions in names', () => {
    expect(terraform(topology(queue('${a}%{b}"')))).toContain('name  = "$${a}%%{b}\\""');
  });
});

describe('the table', () => {
  it('has a line for each argument and for the permissions of each use', () => {
    const args = { 'x-queue-type': 'quorum', 'x-dead-letter-exchange': '' };
    expect(topologyTable(topology(queue('jobs', args), queue('jobs.dead'))).split('\n')).toEqual([
      "Queues in the virtual host 'team': each durable, not exclusive, not auto-delete",
      '',
      'queue      argument                value',
      'jobs       x-queue-type            quorum',
      "           x-dead-letter-exchange  '' (empty)",
      'jobs.dead  x-queue-type            quorum',
      '',
      "What the worker's user needs (`rabbitmqctl set_permissions`), as regular expressions",
      '',
      'for            configure  write  read',
      'TOPOLOGY=none  ^$         ^w$    ^r$',
    ]);
  });
});

describe('permissions', () => {
  it('are for these names, whatever is in them, and no others', () => {
    const queues = ['a.b', 'a.b.dead'].map((name) => ({ name, options: { arguments: {} } }));
    const [, check] = permissionsOf('a.b', queues);
    expect(check).toMatchObject({ configure: '^(a\\.b|a\\.b\\.dead)$', read: '^a\\.b$' });
    expect(new RegExp(check?.configure ?? '').test('a-b')).toBe(false);
  });
});
