/** `EX_CONFIG` of sysexits(3): the configuration is wrong, so restarting will not help. */
export const EXIT_CONFIG = 78;

/** The worker cannot start. Its message is all an operator gets to see: one line for each problem. */
export class StartupError extends Error {
  constructor(
    message: string,
    /** Exit code of the process. */
    readonly exitCode = 1,
  ) {
    super(message);
    this.name = 'StartupError';
  }
}
