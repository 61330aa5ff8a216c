/** The ids of the last cancelled calls, which distinguish a late reply from a duplicate. Bounded. */
export class IdRing {
  private readonly capacity: number;
  private readonly ids = new Set<number>();

  constructor(capacity: number) {
    this.capacity = capacity;
  }

  add(id: number): void {
    if (this.ids.size === this.capacity) {
      const [oldest] = this.ids;
      this.ids.delete(oldest as number);
    }
    this.ids.add(id);
  }

  /** Removes the id. Returns whether it was present. */
  remove(id: number): boolean {
    return this.ids.delete(id);
  }
}
