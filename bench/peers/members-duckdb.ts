/** The aggregate in SQL: the totals of each member, from which one division per feature remains. */
import { DuckDBInstance } from '@duckdb/node-api';
import { MEMBER_TOTALS_SQL } from '#workflows/offer/member-totals.js';
import { memberFile } from '../member-file.js';
import type { SideRun } from '../side-run.js';

export const run: SideRun = async (rows) => {
  const path = await memberFile(rows);
  const instance = await DuckDBInstance.create(':memory:');
  const connection = await instance.connect();
  await connection.run(`CREATE VIEW members AS SELECT * FROM read_csv('${path}', header = true, all_varchar = true)`);
  const result = await connection.stream(MEMBER_TOTALS_SQL);
  let members = 0;
  for await (const some of result.yieldRowObjectJs()) members += some.length;
  connection.closeSync();
  instance.closeSync();
  return members;
};
