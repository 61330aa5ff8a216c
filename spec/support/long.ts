/** Whether the long forms run: `MILLRACE_LONG=1 npm run jest -- simulation`. CI runs them once. */
export const isLong = process.env['MILLRACE_LONG'] === '1';
