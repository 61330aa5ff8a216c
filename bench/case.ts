/**
 * A benchmark case and its finding. A case measures our side and a peer in one execution and compares the two, because
 * absolute figures depend more on the machine than on the code.
 */
import type { Spread } from './statistics.js';

/** What a case should reach. */
export interface Goal {
  /** Which figure the goal is about. */
  readonly on: 'ratio' | 'value';
  readonly is: 'at least' | 'at most';
  readonly than: number;
}

/** How a case is to be run. */
export interface BenchSettings {
  /** Smaller sizes and fewer rounds: shows that it works, says little about speed. */
  readonly isQuick: boolean;
  /** Shows the current step to the user, in one line. */
  readonly progress: (message: string) => void;
}

/** Which figures a case found. */
export interface Finding {
  /** Median of our side, in `unit`. */
  readonly value: number;
  readonly unit: string;
  /** What it was measured against, in a few words. */
  readonly against: string;
  /** Median of the other side, in `unit`. */
  readonly againstValue: number;
  /** `value` over `againstValue`. */
  readonly ratio: number;
  readonly spread: { readonly value: Spread; readonly against: Spread; readonly ratio: Spread };
  /** How many samples each side gave. */
  readonly samples: { readonly value: number; readonly against: number };
  /** What a reader should know about this figure. */
  readonly note?: string;
}

export interface BenchCase {
  readonly name: string;
  /** One line. */
  readonly description: string;
  /** Undefined: the figure is printed for information. */
  readonly goal?: Goal;
  readonly run: (settings: BenchSettings) => Promise<Finding>;
}

/** The goal as one would write it by hand. */
export function describeGoal(goal: Goal | undefined, unit = ''): string {
  if (goal === undefined) return 'no goal';
  return `goal ${goal.is === 'at least' ? '≥' : '≤'} ${goal.than}${goal.on === 'ratio' ? ' ×' : unit === '' ? '' : ` ${unit}`}`;
}

/** Whether the finding meets the goal; undefined where there is none. */
export function meets(goal: Goal | undefined, finding: Pick<Finding, 'ratio' | 'value'>): boolean | undefined {
  if (goal === undefined) return undefined;
  const figure = finding[goal.on];
  return goal.is === 'at least' ? figure >= goal.than : figure <= goal.than;
}
