/** A timer wheel for millions of numbers. Each number is due in one second; putting it again moves it. */
export class Wheel {
  readonly #dueAt: Int32Array;
  readonly #next: Int32Array;
  readonly #previous: Int32Array;
  readonly #first: Int32Array;

  constructor(numbers: number, seconds: number) {
    this.#dueAt = new Int32Array(numbers).fill(-1);
    this.#next = new Int32Array(numbers).fill(-1);
    this.#previous = new Int32Array(numbers).fill(-1);
    this.#first = new Int32Array(seconds).fill(-1);
  }

  put(number: number, second: number): void {
    this.#remove(number);
    const due = Math.min(Math.ceil(second), this.#first.length - 1);
    const head = this.#first[due] ?? -1;
    this.#dueAt[number] = due;
    this.#next[number] = head;
    this.#previous[number] = -1;
    if (head >= 0) this.#previous[head] = number;
    this.#first[due] = number;
  }

  /** Removes and returns the numbers due in `second`. */
  take(second: number): number[] {
    const taken: number[] = [];
    for (let number = this.#first[second] ?? -1; number >= 0; number = this.#next[number] ?? -1)
      taken.push(number);
    for (const number of taken) this.#dueAt[number] = -1;
    this.#first[second] = -1;
    return taken;
  }

  #remove(number: number): void {
    const due = this.#dueAt[number] ?? -1;
    if (due < 0) return;
    const [next, previous] = [this.#next[number] ?? -1, this.#previous[number] ?? -1];
    if (previous >= 0) this.#next[previous] = next;
    else this.#first[due] = next;
    if (next >= 0) this.#previous[next] = previous;
    this.#dueAt[number] = -1;
  }
}
