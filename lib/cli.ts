#!/usr/bin/env node
/**
 * The executable. It starts the command, which `npm run build` bundles into `dist/command`: some files instead of
 * hundreds.
 *
 * Guarantees: Node compiles a file once and keeps the result, where it can (from version 22.1 on); `NODE_COMPILE_CACHE`
 * names the folder, and `NODE_DISABLE_COMPILE_CACHE=1` switches it off.
 */
import module from 'node:module';

// The types are those of the oldest Node that is supported.
(module as { enableCompileCache?: () => unknown }).enableCompileCache?.();
await import(new URL('./command/millrace.js', import.meta.url).href);
