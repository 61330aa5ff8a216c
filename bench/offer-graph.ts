/**
 * The work of the seven-task offer graph, as plain functions that every side calls. The sides differ only in how the
 * records get from one function to the next. The upstreams are asynchronous and answer at once, so the benchmark
 * measures only the plumbing.
 */

export interface Transactions {
  readonly memberId: number;
  readonly points: number;
  readonly revenue: number;
  readonly count: number;
}

export interface Features {
  readonly memberId: number;
  readonly averagePoints: number;
  readonly averageRevenue: number;
  readonly shareBought: number;
}

export interface Prediction {
  readonly prediction: number;
}

export interface Predictions {
  readonly ats_prediction: number;
  readonly resp_prediction: number;
}

export interface Offer {
  readonly offer: 'OFFER_1' | 'OFFER_2';
}

/** The most records in flight per asynchronous task, for each side. */
export const CONCURRENCY = 100;

export function* members(count: number): Generator<Transactions, void, undefined> {
  for (let memberId = 0; memberId < count; memberId++) {
    yield { memberId, points: (memberId * 37) % 5000, revenue: (memberId * 17) % 900, count: 1 + (memberId % 9) };
  }
}

export function transform({ memberId, points, revenue, count }: Transactions): Features {
  return { memberId, averagePoints: points / count, averageRevenue: revenue / count, shareBought: 1 / count };
}

/* These two are async functions without an await on purpose: an upstream that answers at once. */
/* eslint-disable @typescript-eslint/require-await */
export async function predictAts({ averagePoints, shareBought }: Features): Promise<Prediction> {
  return { prediction: averagePoints * shareBought };
}

export async function predictResp({ averageRevenue, shareBought }: Features): Promise<Prediction> {
  return { prediction: Math.min(0.9, averageRevenue * shareBought) };
}

export async function chooseOffer({ ats_prediction, resp_prediction }: Predictions): Promise<Offer> {
  return { offer: ats_prediction * resp_prediction >= 200 ? 'OFFER_2' : 'OFFER_1' };
}
/* eslint-enable @typescript-eslint/require-await */

export function combine(ats: Prediction, resp: Prediction): Predictions {
  return { ats_prediction: ats.prediction, resp_prediction: resp.prediction };
}

/** The results for a member at the end of the graph. */
export type Outcome = readonly [Features, Prediction, Prediction, Offer];

/** The three calls for one member, both models called at once, as a peer without a graph makes them. */
export async function offerFor(member: Features): Promise<Outcome> {
  // Both calls start before the first await; Promise.all does the same at 0.6 × the rate.
  const asking = predictAts(member);
  const answering = predictResp(member);
  const ats = await asking;
  const resp = await answering;
  return [member, ats, resp, await chooseOffer(combine(ats, resp))];
}

/** The end of the graph: it uses each part of an outcome, in any order, so that no side can leave one out. */
export class Tally {
  count = 0;
  private sum = 0;

  add(features: Features, ats: Prediction, resp: Prediction, { offer }: Offer): void {
    this.count++;
    const scaled = Math.floor(ats.prediction) + Math.floor(resp.prediction * 10) + (offer === 'OFFER_2' ? 7 : 3);
    this.sum = (this.sum + (features.memberId % 1000) + scaled) % 2 ** 40;
  }

  /** Equal for equal outcomes, in any order of arrival. */
  get checksum(): number {
    return this.sum + this.count;
  }
}
