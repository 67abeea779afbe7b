import { readSettings, SettingName, Settings } from '../config/settings.js';

/** Reads the settings from the environment; what was given by a flag takes the place of the variable and of its file. */
export function settingsWith(flags: Partial<Record<SettingName, string | undefined>>): Settings {
  const env = { ...process.env };
  for (const [name, value] of Object.entries(flags)) {
    if (value === undefined) continue;
    env[name] = value;
    delete env[`${name}_FILE`];
  }
  return readSettings(env);
}
