import { createPrivateKey, KeyObject, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import { Settings } from '../config/settings.js';
import { EXIT_CONFIG, StartupError } from '../config/startup-error.js';

const OPTIONS = { ca: 'RABBITMQ_CA_FILE', cert: 'RABBITMQ_CERT_FILE', key: 'RABBITMQ_KEY_FILE' } as const;

type Option = keyof typeof OPTIONS;
type TlsSettings = Pick<Settings, (typeof OPTIONS)[Option]>;

const CERTIFICATE = /^-----BEGIN (X509 |TRUSTED )?CERTIFICATE-----/;
const PRIVATE_KEY = /-----BEGIN ([A-Z0-9]+ )*PRIVATE KEY-----/;
const ENCRYPTED = /-----BEGIN ENCRYPTED PRIVATE KEY-----|^Proc-Type: 4,ENCRYPTED/m;

/**
 * What the files of the TLS settings hold, as options of a connection.
 *
 * @throws StartupError that names every file that cannot be used: setting, file, what is wrong with it
 */
export function tlsFiles(settings: TlsSettings): { readonly [option in Option]?: string } {
  const problems: string[] = [];
  const files: { [option in Option]?: string } = {};
  for (const option of Object.keys(OPTIONS) as Option[]) {
    const path = settings[OPTIONS[option]];
    if (path) files[option] = read(OPTIONS[option], path, problems);
  }
  const { ca, cert, key } = files;
  const say = (option: Option, problem: string) =>
    problems.push(`${OPTIONS[option]}: ${JSON.stringify(settings[OPTIONS[option]])} ${problem}`);
  if (ca) certificates(ca, (problem) => say('ca', problem));
  const [own] = cert ? certificates(cert, (problem) => say('cert', problem)) : [];
  const ownKey = key ? privateKey(key, (problem) => say('key', problem)) : undefined;
  if (own && ownKey && !own.checkPrivateKey(ownKey))
    say(
      'key',
      `is not the key of the certificate in RABBITMQ_CERT_FILE, ${JSON.stringify(settings.RABBITMQ_CERT_FILE)}`,
    );
  if (problems.length === 0) checkTogether(files, problems);
  if (problems.length > 0) throw new StartupError(problems.join('\n'), EXIT_CONFIG);
  return files;
}

function read(name: string, path: string, problems: string[]): string | undefined {
  try {
    const text = readFileSync(path, 'utf8').replace(/^\uFEFF/, ''); // OpenSSL does not read over a byte order mark
    if (text.trim() !== '') return text;
    problems.push(`${name}: ${JSON.stringify(path)} is empty`);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    problems.push(`${name}: cannot read ${JSON.stringify(path)} (${code})`);
  }
  return undefined;
}

function certificates(pem: string, say: (problem: string) => void): X509Certificate[] {
  const blocks = pem.split(/(?=-----BEGIN )/).filter((block) => CERTIFICATE.test(block));
  if (blocks.length === 0) say(`holds no certificate in PEM format, ${whatElse(pem)}`);
  return blocks.flatMap((block, index) => {
    try {
      return new X509Certificate(block);
    } catch (error) {
      say(
        `holds a certificate that cannot be read, number ${index + 1} of ${blocks.length} (${reasonOf(error)})`,
      );
      return [];
    }
  });
}

function privateKey(pem: string, say: (problem: string) => void): KeyObject | undefined {
  if (ENCRYPTED.test(pem))
    say('is encrypted, which is not supported; decrypt it by `openssl pkey -in FILE -out FILE`');
  else if (!PRIVATE_KEY.test(pem)) say(`holds no private key in PEM format, ${whatElse(pem)}`);
  else
    try {
      return createPrivateKey(pem);
    } catch (error) {
      say(`holds a private key that cannot be read (${reasonOf(error)})`);
    }
  return undefined;
}

function whatElse(pem: string): string {
  const [, label] = /-----BEGIN ([A-Z0-9 ]+)-----/.exec(pem) ?? [];
  return label ? `but a ${label}` : 'which starts with -----BEGIN; convert one in DER format by `openssl`';
}

/** What only OpenSSL knows, such as a key that is too short. */
function checkTogether(files: { readonly [option in Option]?: string }, problems: string[]): void {
  try {
    createSecureContext(files);
  } catch (error) {
    const names = Object.keys(files).map((option) => OPTIONS[option as Option]);
    problems.push(`${names.join(', ')}: OpenSSL does not take them (${reasonOf(error)})`);
  }
}

/** Of OpenSSL's texts, which hold nothing of the file. */
function reasonOf(error: unknown): string {
  return (error as Error).message.replace(/^error:[^:]*:/, '');
}
