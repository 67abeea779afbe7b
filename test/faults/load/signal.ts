/** Wakes those who wait for something to be so. */
export class Signal {
  private readonly watchers = new Set<() => void>();

  /** Something has changed. */
  poke(): void {
    for (const watcher of this.watchers) watcher();
  }

  /** Resolves when that is so: now, or upon a change. */
  until(isSo: () => boolean): Promise<void> {
    if (isSo()) return Promise.resolve();
    return new Promise((resolve) => {
      const watcher = () => {
        if (!isSo()) return;
        this.watchers.delete(watcher);
        resolve();
      };
      this.watchers.add(watcher);
    });
  }

  /** @returns false when nothing has changed for that long, though it is not so */
  async untilQuiet(isSo: () => boolean, patienceMs: number): Promise<boolean> {
    let giveUp = () => {};
    let timer: NodeJS.Timeout | undefined;
    const quiet = new Promise<false>((resolve) => (giveUp = () => resolve(false)));
    const restart = () => {
      clearTimeout(timer);
      timer = setTimeout(giveUp, patienceMs);
    };
    restart();
    this.watchers.add(restart);
    const outcome = await Promise.race([this.until(isSo).then(() => true), quiet]);
    this.watchers.delete(restart);
    clearTimeout(timer);
    return outcome;
  }
}
