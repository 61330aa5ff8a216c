/**
 * What a call that JavaScript may make is answered with: the code and the sentence of what it throws, or 'accepted'.
 */
export function reported(call: (...given: never[]) => unknown, ...given: unknown[]): string {
  try {
    call(...(given as never[]));
  } catch (error) {
    const { code, message } = error as { code?: string; message: string };
    return `${code ?? 'no code'}: ${message}`;
  }
  return 'accepted';
}
