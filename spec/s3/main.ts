/** `npm run s3 -- fetch` fetches the server that the specs for object stores use. */
import { fetchS3, whyNoS3 } from './artifacts.js';

if (process.argv[2] !== 'fetch') {
  console.error('Usage: npm run s3 -- fetch');
  process.exit(2);
}
if (whyNoS3() !== undefined) await fetchS3();
const reason = whyNoS3();
if (reason !== undefined) throw new Error(`The server cannot be started: ${reason}`);
