import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { EXIT_CONFIG, StartupError } from '../config/startup-error.js';
import { tlsFiles } from './tls-files.js';

const FOLDER = fileURLToPath(new URL('../../test/support/tls/', import.meta.url));
const [CERT, KEY] = [join(FOLDER, 'cert.pem'), join(FOLDER, 'key.pem')];
const [certificate, key] = [readFileSync(CERT, 'utf8'), readFileSync(KEY, 'utf8')];
const { privateKey: otherKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'onnxmq-tls-'));
});

afterEach(() => {
  rmSync(folder, { recursive: true });
});

function put(name: string, content: string | Buffer): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

function problemsOf(ca?: string, cert?: string, itsKey?: string): string[] {
  try {
    tlsFiles({ RABBITMQ_CA_FILE: ca, RABBITMQ_CERT_FILE: cert, RABBITMQ_KEY_FILE: itsKey });
    return [];
  } catch (error) {
    expect(error).toBeInstanceOf(StartupError);
    expect((error as StartupError).exitCode).toBe(EXIT_CONFIG);
    return (error as StartupError).message.split('\n');
  }
}

describe('tlsFiles', () => {
  it('gives what the files hold', () => {
    const settings = { RABBITMQ_CA_FILE: CERT, RABBITMQ_CERT_FILE: CERT, RABBITMQ_KEY_FILE: KEY };
    expect(tlsFiles(settings)).toEqual({ ca: certificate, cert: certificate, key });
    const none = { RABBITMQ_CA_FILE: undefined, RABBITMQ_CERT_FILE: undefined, RABBITMQ_KEY_FILE: undefined };
    expect(tlsFiles(none)).toEqual({});
  });

  it.each([
    ['several certificates and other text', `a CA\n${certificate}\nanother\n${certificate}`],
    ['a byte order mark', `\uFEFF${certificate}`],
    ['Windows line ends', certificate.replaceAll('\n', '\r\n')],
  ])('takes a CA file with %s', (_, content) => {
    expect(problemsOf(put('ca.pem', content))).toEqual([]);
  });

  it('takes certificate and key from one file', () => {
    const path = put('both.pem', key + certificate);
    expect(problemsOf(undefined, path, path)).toEqual([]);
  });

  const der = Buffer.from(certificate.replace(/-----[^-]+-----/g, ''), 'base64');
  it.each([
    ['is empty', '', /is empty$/],
    ['holds only white space', ' \n', /is empty$/],
    ['holds something else', 'hello', /no certificate in PEM format/],
    ['is in DER format', der, /no certificate in PEM format, .*DER/],
    ['holds a key', key, /no certificate in PEM format, but a PRIVATE KEY/],
    ['has lost its end', certificate.slice(0, 200), /cannot be read, number 1 of 1 \(/],
    [
      'has a second certificate that lost its end',
      certificate + certificate.slice(0, 200),
      /number 2 of 2 \(/,
    ],
  ])('refuses a CA file that %s', (_, content, expected) => {
    const path = put('ca.pem', content);
    expect(problemsOf(path)).toEqual([expect.stringMatching(expected)]);
    expect(problemsOf(path)[0]).toMatch(`RABBITMQ_CA_FILE: "${path}" `);
    expect(problemsOf(undefined, path, KEY)[0]).toMatch(`RABBITMQ_CERT_FILE: "${path}" `);
  });

  const asPem = { type: 'pkcs8', format: 'pem' } as const;
  it.each([
    ['is empty', '', /is empty$/],
    ['holds a certificate', certificate, /no private key in PEM format, but a CERTIFICATE/],
    ['has lost its end', key.slice(0, 100), /private key that cannot be read \(/],
    [
      'is encrypted',
      otherKey.export({ ...asPem, cipher: 'aes-256-cbc', passphrase: 'hush' }),
      /is encrypted, .*openssl pkey/,
    ],
    [
      'is of another certificate',
      otherKey.export(asPem),
      /is not the key of the certificate in RABBITMQ_CERT_FILE, ".*cert\.pem"$/,
    ],
  ])('refuses a key file that %s', (_, content, expected) => {
    const path = put('key.pem', content);
    const problems = problemsOf(undefined, CERT, path);
    expect(problems).toEqual([expect.stringMatching(expected)]);
    expect(problems[0]).toMatch(`RABBITMQ_KEY_FILE: "${path}" `);
  });

  it('names all files that are wrong, one line each, and shows nothing of what they hold', () => {
    const problems = problemsOf(join(folder, 'none'), put('c', 'secret1'), put('k', 'secret2'));
    expect(problems.map((problem) => problem.split(':')[0])).toEqual([
      'RABBITMQ_CA_FILE',
      'RABBITMQ_CERT_FILE',
      'RABBITMQ_KEY_FILE',
    ]);
    expect(problems[0]).toContain('ENOENT');
    expect(problems.join()).not.toContain('secret');
  });
});
