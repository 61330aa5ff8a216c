/** Lets axios send bodies that were serialized before. */
import type { AxiosRequestTransformer } from 'axios';

/** Sends serialized text unchanged. axios would parse it to find out whether it is JSON. */
export function keepWritten(transforms: readonly AxiosRequestTransformer[]): AxiosRequestTransformer {
  return function (this, data: unknown, headers) {
    if (typeof data !== 'string') {
      return transforms.reduce<unknown>((body, transform): unknown => transform.call(this, body, headers), data);
    }
    headers.setContentType('application/json', false);
    return data;
  };
}
