/**
 * Loads the client of gRPC and the reader of Arrow, optional peer dependencies that a program installs if it uses
 * Spark.
 *
 * Guarantees: nothing is loaded before the first connection. If a package is missing, the error names both and the
 * command that installs them.
 */
import { createRequire } from 'node:module';
import { MillraceError } from '../../connect/index.js';

export type GrpcPackage = typeof import('@grpc/grpc-js');
export type ArrowPackage = typeof import('@uwdata/flechette');

export function grpcPackage(): GrpcPackage {
  return load('@grpc/grpc-js') as GrpcPackage;
}

export function arrowPackage(): ArrowPackage {
  return load('@uwdata/flechette') as ArrowPackage;
}

function load(name: string): unknown {
  try {
    return createRequire(import.meta.url)(name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'MODULE_NOT_FOUND') throw error;
    throw new MillraceError(
      'MILLRACE_MISSING_PACKAGE',
      `millrace/spark needs ${name}, which is not installed. Install what it needs: npm install @grpc/grpc-js @uwdata/flechette@2.3.0`,
      { cause: error },
    );
  }
}
