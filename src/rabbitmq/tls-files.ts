import { readFileSync } from 'node:fs';
import { Settings } from '../config/settings.js';
import { EXIT_CONFIG, StartupError } from '../config/startup-error.js';

/**
 * What the files of the TLS settings hold, as options of a connection.
 *
 * @throws StartupError that names the setting of a file that cannot be read
 */
export function tlsFiles(settings: Settings): object {
  const names = { ca: 'RABBITMQ_CA_FILE', cert: 'RABBITMQ_CERT_FILE', key: 'RABBITMQ_KEY_FILE' } as const;
  const files = Object.entries(names).map(([option, name]) => {
    const path = settings[name];
    if (!path) return [];
    try {
      return [[option, readFileSync(path)]];
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      throw new StartupError(`${name}: cannot read ${JSON.stringify(path)} (${code})`, EXIT_CONFIG);
    }
  });
  return Object.fromEntries(files.flat()) as object;
}
