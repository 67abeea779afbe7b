import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { maskCredentials, readSettings, SETTINGS } from './settings.js';
import { EXIT_CONFIG, StartupError } from './startup-error.js';

type Env = Record<string, string>;

/** The lines that the operator gets to see. */
function problemsOf(env: Env): string[] {
  try {
    readSettings(env);
    return [];
  } catch (error) {
    expect(error).toBeInstanceOf(StartupError);
    expect((error as StartupError).exitCode).toBe(EXIT_CONFIG);
    return (error as StartupError).message.split('\n');
  }
}

describe('readSettings', () => {
  it('has a default for everything', () => {
    expect(readSettings({})).toEqual({
      RABBITMQ_URL: ['amqp://guest:guest@localhost:5672'],
      REQUEST_QUEUE: 'inference',
      RESULTS_QUEUE: '',
      QUEUE_TYPE: 'quorum',
      TOPOLOGY: 'assert',
      DELIVERY_LIMIT: 5,
      RETRY_DELAYS_MS: [1000, 5000, 30_000],
      KILL_SWITCH_PERCENT: 50,
      MODELS_DIR: 'models',
      CONCURRENCY: 'auto',
      PREFETCH: 'auto',
      BATCH_MAX_SIZE: 64,
      BATCH_MAX_WAIT_MS: 2,
      INFERENCE_THREADS: 'auto',
      MAX_MESSAGE_BYTES: 16_777_216,
      HTTP_HOST: '0.0.0.0',
      HTTP_PORT: 8080,
      DRAIN_TIMEOUT_MS: 20_000,
      CONSUMER_TIMEOUT_MS: 1_800_000,
      LOG_LEVEL: 'info',
    });
  });

  it('takes an empty value for none', () => {
    const empty = Object.fromEntries(Object.keys(SETTINGS).map((name) => [name, '']));
    expect(readSettings(empty)).toEqual(readSettings({}));
  });

  it('reads what is given', () => {
    const given = {
      RABBITMQ_URL: 'amqps://a.example/v, amqp://b.example:5673',
      RETRY_DELAYS_MS: ' 10, 20 ',
      KILL_SWITCH_PERCENT: 'off',
      CONCURRENCY: '128',
      PREFETCH: ' 256 ',
      BATCH_MAX_WAIT_MS: '0',
      PREPROCESS_IO_DELAY_MS: '0',
      HTTP_PORT: '0',
      LOG_FORMAT: 'pretty',
    };
    expect(readSettings(given)).toMatchObject({
      RABBITMQ_URL: ['amqps://a.example/v', 'amqp://b.example:5673'],
      RETRY_DELAYS_MS: [10, 20],
      KILL_SWITCH_PERCENT: 'off',
      CONCURRENCY: 128,
      PREFETCH: 256,
      BATCH_MAX_WAIT_MS: 0,
      PREPROCESS_IO_DELAY_MS: 0,
      HTTP_PORT: 0,
      LOG_FORMAT: 'pretty',
    });
  });

  it.each([
    ['RABBITMQ_URL', 'http://broker'],
    ['RABBITMQ_URL', 'amqp://a,,amqp://b'],
    ['REQUEST_QUEUE', 'amq.gen'],
    ['REQUEST_QUEUE', 'q'.repeat(201)],
    ['RESULTS_QUEUE', 'a\u0000b'],
    ['QUEUE_TYPE', 'stream'],
    ['TOPOLOGY', 'create'],
    ['DELIVERY_LIMIT', '0'],
    ['RETRY_DELAYS_MS', '1000,,5000'],
    ['RETRY_DELAYS_MS', '0'],
    ['RETRY_DELAYS_MS', '1s'],
    ['KILL_SWITCH_PERCENT', '0'],
    ['CONCURRENCY', 'many'],
    ['CONCURRENCY', '0'],
    ['PREFETCH', '65536'],
    ['BATCH_MAX_SIZE', '4097'],
    ['BATCH_MAX_SIZE', '1e3'],
    ['BATCH_MAX_WAIT_MS', '-1'],
    ['BATCH_MAX_WAIT_MS', '0.5'],
    ['PREPROCESS_IO_DELAY_MS', '50ms'],
    ['INFERENCE_THREADS', '-1'],
    ['MAX_MESSAGE_BYTES', '16MB'],
    ['HTTP_PORT', '65536'],
    ['DRAIN_TIMEOUT_MS', '9'.repeat(30)],
    ['CONSUMER_TIMEOUT_MS', '999'],
    ['LOG_LEVEL', 'verbose'],
    ['LOG_FORMAT', 'xml'],
  ])('refuses %s=%j in one line: the variable, the value, what is allowed', (name, value) => {
    const { allowed } = SETTINGS[name as keyof typeof SETTINGS];
    expect(problemsOf({ [name]: value })).toEqual([
      `${name}: ${JSON.stringify(value)} is not allowed; it takes ${allowed}`,
    ]);
  });

  it('names every problem at once, in the order of the settings', () => {
    const names = ['QUEUE_TYPE', 'DELIVERY_LIMIT', 'HTTP_PORT', 'LOG_LEVEL'];
    const problems = problemsOf(Object.fromEntries(names.map((name) => [name, 'wrong'])));
    expect(problems.map((problem) => problem.split(':')[0])).toEqual(names);
  });

  it('wants a client certificate with its key', () => {
    const line = 'RABBITMQ_CERT_FILE and RABBITMQ_KEY_FILE: a client certificate needs both';
    expect(problemsOf({ RABBITMQ_CERT_FILE: 'cert.pem' })).toEqual([line]);
    expect(problemsOf({ RABBITMQ_KEY_FILE: 'key.pem' })).toEqual([line]);
    expect(problemsOf({ RABBITMQ_CERT_FILE: 'cert.pem', RABBITMQ_KEY_FILE: 'key.pem' })).toEqual([]);
  });

  it.each(['inference', 'inference.dead', 'inference.retry.5000'])(
    'refuses %s as the results queue: it is taken',
    (name) => {
      expect(problemsOf({ RESULTS_QUEUE: name })).toEqual([expect.stringContaining('RESULTS_QUEUE')]);
    },
  );

  describe('from files', () => {
    let folder: string;
    beforeAll(() => {
      folder = mkdtempSync(join(tmpdir(), 'onnxmq-settings-'));
    });
    afterAll(() => {
      rmSync(folder, { recursive: true });
    });
    const fileOf = (content: string | Buffer) => {
      const path = join(folder, 'value');
      writeFileSync(path, content);
      return path;
    };

    it('reads each setting from the file that <NAME>_FILE names, without its last line end', () => {
      const url = 'amqp://worker:secret@broker';
      expect(readSettings({ RABBITMQ_URL_FILE: fileOf(`${url}\n`) }).RABBITMQ_URL).toEqual([url]);
      expect(readSettings({ BATCH_MAX_SIZE_FILE: fileOf('8\r\n') }).BATCH_MAX_SIZE).toBe(8);
    });

    it('refuses a wrong value from a file as from a variable', () => {
      expect(problemsOf({ HTTP_PORT_FILE: fileOf('http') })).toEqual([
        'HTTP_PORT: "http" is not allowed; it takes a port from 0 to 65535 (0: any free one)',
      ]);
    });

    it('refuses a file that cannot be read, with its name and the reason', () => {
      const path = join(folder, 'missing');
      expect(problemsOf({ HTTP_PORT_FILE: path })).toEqual([
        `HTTP_PORT_FILE: cannot read "${path}" (ENOENT)`,
      ]);
    });

    it('refuses a file that is not UTF-8: no broker would take such a password', () => {
      const path = fileOf(Buffer.from('amqp://worker:p\xe4ss@broker', 'latin1'));
      expect(problemsOf({ RABBITMQ_URL_FILE: path })).toEqual([
        `RABBITMQ_URL_FILE: cannot read "${path}" (it is not UTF-8)`,
      ]);
    });

    it('reads over a byte order mark', () => {
      const url = 'amqp://worker:secret@broker';
      expect(readSettings({ RABBITMQ_URL_FILE: fileOf(`\uFEFF${url}\r\n`) }).RABBITMQ_URL).toEqual([url]);
    });

    it.each(['', ' \n', '\uFEFF\r\n'])(
      'refuses one that holds only %j, of each setting but RESULTS_QUEUE',
      (content) => {
        const path = fileOf(content);
        const { RESULTS_QUEUE: _, ...others } = SETTINGS;
        for (const name of Object.keys(others))
          expect(problemsOf({ [`${name}_FILE`]: path })[0]).toBe(
            `${name}_FILE: "${path}" is empty; write the value into it, or unset ${name}_FILE for the default`,
          );
        expect(readSettings({ RESULTS_QUEUE_FILE: path }).RESULTS_QUEUE).toBe('');
      },
    );

    it('refuses a setting that is given both ways, without showing either value', () => {
      const env = { RABBITMQ_URL: 'amqp://u:secret@h', RABBITMQ_URL_FILE: fileOf('amqp://u:other@h') };
      expect(problemsOf(env)).toEqual(['RABBITMQ_URL: set it or RABBITMQ_URL_FILE, not both']);
    });
  });

  describe('secrets', () => {
    const password = fc
      .stringMatching(/^[\w!#$%&*+:;=?@^~./-]{6,20}$/)
      .filter((text) => !/^\d+$/.test(text))
      .map((text) => `pw${text}`);

    it.each([
      ['a wrong scheme', (secret: string) => `http://user:${secret}@host`],
      ['no scheme', (secret: string) => `user:${secret}@host`],
      ['no host', (secret: string) => `amqp://user:${secret}`],
      ['no user', (secret: string) => `amqpx://:${secret}@host`],
      ['a space within', (secret: string) => `amqp://user:${secret}@ho st`],
      ['a wrong port', (secret: string) => `amqp://user:${secret}@host:port`],
      ['another URL that is wrong', (secret: string) => `amqp://user:${secret}@host,http://other`],
    ])('show no password of a URL with %s', (_, url) => {
      fc.assert(
        fc.property(password, (secret) => {
          const shown = problemsOf({ RABBITMQ_URL: url(secret) }).join('\n');
          expect(shown).not.toContain(secret);
        }),
      );
    });

    it.each([
      'amqps://user:secret@host:5671:1',
      'amqps://user:sec,ret@host',
      'amqps://user:12345,secret@host',
      'amqps://user:12345678',
      'amqps://user:sec ret@host',
    ])('show no more than the scheme of %s', (url) => {
      expect(problemsOf({ RABBITMQ_URL: url })[0]).toContain('"amqps://***"');
    });

    it('that are no URL at all are not shown', () => {
      expect(problemsOf({ RABBITMQ_URL: 'hunter2secret' })[0]).toContain('"***"');
    });
  });
});

describe('maskCredentials', () => {
  it('masks the password of each AMQP URL in a text, and nothing else', () => {
    expect(maskCredentials('from amqp://a:p@ss:w@h/v to amqps://b:x@h2, amqp://h3:5672')).toBe(
      'from amqp://a:***@h/v to amqps://b:***@h2, amqp://h3:5672',
    );
  });
});

describe('README.md', () => {
  it('has every setting in its table', () => {
    const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');
    const table = readme.split('\n').filter((line) => line.startsWith('|'));
    const missing = Object.keys(SETTINGS).filter((name) => !table.some((row) => row.includes(`\`${name}\``)));
    expect(missing).toEqual([]);
  });
});
