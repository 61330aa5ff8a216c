/**
 * A choice, failures as a path, an optional partner and a merge: a service checks large orders and refuses some of
 * them, small orders pass, and each order ends in one list.
 *
 * `node build/examples/routes.js`
 */
import { asyncTask, branch, defineWorkflow, sinkTask, sourceTask, syncTask } from 'millrace';

const Routes = defineWorkflow({
  name: 'Routes',
  build: (flow) =>
    flow
      .task('Orders', sourceTask([20, 500, 7000, 31]))
      .task(
        'Route',
        ['Orders'],
        branch(['large', 'small'], (total) => (total > 100 ? 'large' : 'small')),
      )
      .task(
        'Check',
        ['Route.large'],
        asyncTask((total) => {
          if (total > 1000) throw new Error('above the limit');
          return `${total} checked`;
        }),
      )
      .task(
        'Refuse',
        ['Check.failed'],
        syncTask(({ record, error }) => `${record} refused: ${error.message}`),
      )
      .task(
        'Pass',
        ['Route.small'],
        syncTask((total) => `${total} passed`),
      )
      .task(
        'Decision',
        ['Check', 'Refuse', 'Pass'],
        { join: 'merge' },
        syncTask((decision) => decision),
      )
      // Only small orders get a gift. The join keeps the other orders too.

      .task(
        'Gift',
        ['Route.small'],
        syncTask((total) => (total > 25 ? 'a pen' : 'a card')),
      )
      .task(
        'Show',
        ['Decision', 'Gift'],
        { join: 'aligned', optional: ['Gift'] },
        sinkTask(
          ([decision, gift]) => {
            console.log(gift === undefined ? decision : `${decision}, with ${gift}`);
          },
          { ordered: true },
        ),
      ),
});

const { deadLettered } = await Routes.run().finished;
console.log(`${deadLettered} dead letters`);
