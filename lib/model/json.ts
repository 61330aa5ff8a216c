/** Plain data. It has a file of its own because the checkpoint and the state that it refers to both need it. */

/** Data that JSON keeps unchanged. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };
