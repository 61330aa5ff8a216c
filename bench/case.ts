/**
 * A benchmark case and its finding. A case measures our side and a peer in one execution and compares the two, because
 * absolute figures depend more on the machine than on the code.
 */
import type { Spread } from './statistics.js';

/** The goal of a case. */
export interface Goal {
  /** The figure that the goal is about. */
  readonly on: 'ratio' | 'value';
  readonly is: 'at least' | 'at most';
  readonly than: number;
  /** The unit of a goal on the value. */
  readonly unit?: string;
}

/** The settings for running a case. */
export interface BenchSettings {
  /** Uses smaller sizes and fewer rounds: shows that the case works, but not its speed. */
  readonly isQuick: boolean;
  /** Shows the current step to the user, in one line. */
  readonly progress: (message: string) => void;
}

/** The figures of a case. */
export interface Finding {
  /** The median of our side, in `unit`. */
  readonly value: number;
  readonly unit: string;
  /** The name of the peer, in a few words. */
  readonly against: string;
  /** The median of the peer, in `unit`. */
  readonly againstValue: number;
  /** `value` over `againstValue`. */
  readonly ratio: number;
  readonly spread: { readonly value: Spread; readonly against: Spread; readonly ratio: Spread };
  /** The number of samples of each side. */
  readonly samples: { readonly value: number; readonly against: number };
  /** A remark for readers of this figure. */
  readonly note?: string;
}

export interface BenchCase {
  readonly name: string;
  /** One line. */
  readonly description: string;
  /** Undefined: the figure is printed for information. */
  readonly goal?: Goal;
  /**
   * True if `--quick`, which has two minutes, runs it only by its name: it takes long with smaller sizes too, or it needs a
   * broker or a browser. Default false.
   */
  readonly isSlow?: boolean;
  readonly run: (settings: BenchSettings) => Promise<Finding>;
}

/** Thrown by a case that cannot be measured on this machine; the message is the reason. */
export class CaseSkipped extends Error {}

/** The goal as text. */
export function describeGoal(goal: Goal | undefined): string {
  if (goal === undefined) return 'no goal';
  return `goal ${goal.is === 'at least' ? '≥' : '≤'} ${goal.than} ${goal.on === 'ratio' ? '×' : (goal.unit ?? '')}`.trimEnd();
}

/** True if the finding meets the goal; undefined if there is none. */
export function meets(goal: Goal | undefined, finding: Pick<Finding, 'ratio' | 'value'>): boolean | undefined {
  if (goal === undefined) return undefined;
  const figure = finding[goal.on];
  return goal.is === 'at least' ? figure >= goal.than : figure <= goal.than;
}
