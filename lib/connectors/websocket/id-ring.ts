/** The ids of the last calls that were given up on, so that a late reply is told from a duplicate. Bounded. */
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

  /** Whether the id is one of them; it is not any more. */
  take(id: number): boolean {
    return this.ids.delete(id);
  }
}
