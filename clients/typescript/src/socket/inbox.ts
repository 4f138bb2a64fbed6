// What has come for one decode and has not been read yet. One reader; it ends by an error only, for the last message says that it is the last.

export class Inbox<T> {
  readonly #items: T[] = [];
  #error: { readonly error: unknown } | null = null;
  #wake: (() => void) | null = null;

  push(item: T): void {
    if (this.#error) return;
    this.#items.push(item);
    this.#wake?.();
  }

  /** What had come before it is dropped where `isUrgent`; otherwise it is read first. Of several errors the first counts. */
  fail(error: unknown, isUrgent = false): void {
    if (this.#error) return;
    this.#error = { error };
    if (isUrgent) this.#items.length = 0;
    this.#wake?.();
  }

  async next(): Promise<T> {
    for (;;) {
      const item = this.#items.shift();
      if (item !== undefined) return item;
      if (this.#error) throw this.#error.error;
      await new Promise<void>((resolve) => (this.#wake = resolve));
      this.#wake = null;
    }
  }
}
