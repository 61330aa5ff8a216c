/**
 * Puts runs of numbered things back into order, whatever their lengths. Promise: every run is handed on once, when all
 * before it were; what is held is what came early.
 */
export class InOrder<T> {
  private next = 0;
  private readonly early = new Map<number, { readonly count: number; readonly item: T }>();

  /** A run of `count` that begins with number `from` has come; `use` is called for whatever may go now. */
  put(from: number, count: number, item: T, use: (item: T, count: number) => void): void {
    this.early.set(from, { count, item });
    for (let run = this.early.get(this.next); run !== undefined; run = this.early.get(this.next)) {
      this.early.delete(this.next);
      this.next += run.count;
      use(run.item, run.count);
    }
  }
}
