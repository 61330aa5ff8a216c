/** DuckDB by its own client: the rows of the query as objects, chunk by chunk. */
import { DuckDBInstance } from '@duckdb/node-api';
import { Checksum, totalsOf, type MemberTotal } from '../duckdb-work.js';
import { memberFile } from '../member-file.js';
import type { SideRun } from '../side-run.js';

export const run: SideRun = async (rows) => {
  const path = await memberFile(rows);
  const instance = await DuckDBInstance.create(':memory:');
  const connection = await instance.connect();
  const from = `read_csv('${path}', all_varchar = true)`;
  const result = await connection.stream(`SELECT * FROM (${totalsOf(from)}) ORDER BY memberId`);
  const checksum = new Checksum();
  for await (const some of result.yieldRowObjectJs()) {
    for (const row of some) checksum.add(row as unknown as MemberTotal);
  }
  connection.closeSync();
  instance.closeSync();
  return checksum.value;
};
