/**
 * Failures of a connection that only a change of the configuration or of the network can fix: an unknown host, a
 * certificate that is not trusted, a client certificate that is missing, a header that cannot be sent, a proxy that
 * refuses.
 *
 * Guarantees: the code of the error decides, never its message. Such a failure ends the run only while the upstream has
 * answered nothing: later it is an outage, which the circuit breaker handles.
 */
import { FatalTaskError, describeThrown } from '../../connect/index.js';

export interface FaultContext {
  /** The name of the upstream in messages. */
  readonly upstream: string;
  readonly task: string;
}

const UNKNOWN_ISSUER =
  'Its certificate is signed by an authority that this machine does not trust. Pass the certificate of that authority as `ca`, or name its file in NODE_EXTRA_CA_CERTS';
const WRONG_TIME = 'Its certificate is not valid at this time. Renew it, or check the clock of this machine';
const WRONG_HOST = 'Its certificate is for another host. Call the upstream by a name in the certificate';
const NO_CLIENT_CERTIFICATE =
  'It refuses the TLS connection, which servers do that demand a client certificate. Pass `cert` and `key`, and check that the upstream trusts them';
const BAD_CLIENT_CERTIFICATE =
  'Check `ca`, `cert` and `key`: PEM text, or paths to PEM files, and the key of this certificate';
const NO_HOST = 'The host name is unknown. Check the URL, and whether a proxy or a VPN is needed';
const NO_TLS =
  'It does not answer with TLS on this port. Check the port, and whether the URL must begin with http: or ws:';
const NO_SOCKET = 'Nothing listens at `socketPath`, or this user may not open it. Check the path and its permissions';
const BAD_HEADER =
  'A header cannot be sent: a line break, often at the end of a secret that was read from a file, a character outside of Latin-1, or a name with a blank. Check `headers`, and the headers that interceptors add';
const PROXY_REFUSED =
  'The proxy refuses the connection. Check `proxy` (or HTTP_PROXY and HTTPS_PROXY), its user and password, and NO_PROXY';

const REMEDIES: Readonly<Record<string, string>> = {
  CERT_CHAIN_TOO_LONG: UNKNOWN_ISSUER,
  CERT_HAS_EXPIRED: WRONG_TIME,
  CERT_NOT_YET_VALID: WRONG_TIME,
  CERT_REJECTED: UNKNOWN_ISSUER,
  CERT_REVOKED: WRONG_TIME,
  CERT_SIGNATURE_FAILURE: UNKNOWN_ISSUER,
  CERT_UNTRUSTED: UNKNOWN_ISSUER,
  DEPTH_ZERO_SELF_SIGNED_CERT: UNKNOWN_ISSUER,
  INVALID_CA: UNKNOWN_ISSUER,
  INVALID_PURPOSE: UNKNOWN_ISSUER,
  SELF_SIGNED_CERT_IN_CHAIN: UNKNOWN_ISSUER,
  UNABLE_TO_GET_ISSUER_CERT: UNKNOWN_ISSUER,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: UNKNOWN_ISSUER,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: UNKNOWN_ISSUER,
  ERR_TLS_CERT_ALTNAME_INVALID: WRONG_HOST,
  HOSTNAME_MISMATCH: WRONG_HOST,
  ERR_SSL_HTTP_REQUEST: NO_TLS,
  ERR_SSL_PACKET_LENGTH_TOO_LONG: NO_TLS,
  ERR_SSL_UNKNOWN_PROTOCOL: NO_TLS,
  ERR_SSL_WRONG_VERSION_NUMBER: NO_TLS,
  ERR_SSL_TLSV1_ALERT_UNKNOWN_CA: NO_CLIENT_CERTIFICATE,
  ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED: NO_CLIENT_CERTIFICATE,
  ERR_SSL_SSLV3_ALERT_BAD_CERTIFICATE: NO_CLIENT_CERTIFICATE,
  ERR_SSL_SSLV3_ALERT_CERTIFICATE_EXPIRED: NO_CLIENT_CERTIFICATE,
  ERR_SSL_SSLV3_ALERT_CERTIFICATE_REVOKED: NO_CLIENT_CERTIFICATE,
  ERR_SSL_SSLV3_ALERT_CERTIFICATE_UNKNOWN: NO_CLIENT_CERTIFICATE,
  ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE: NO_CLIENT_CERTIFICATE,
  'ERR_SSL_SSL/TLS_ALERT_HANDSHAKE_FAILURE': NO_CLIENT_CERTIFICATE,
  // Node reports this code if it finds out during a write that the other side does not use TLS.
  EPROTO: NO_TLS,
  ENOTFOUND: NO_HOST,
  // HTTP headers, as Node and as undici refuse them. Nothing was sent.
  ERR_INVALID_CHAR: BAD_HEADER,
  ERR_INVALID_HTTP_TOKEN: BAD_HEADER,
  ERR_HTTP_INVALID_HEADER_VALUE: BAD_HEADER,
  UND_ERR_INVALID_ARG: BAD_HEADER,
  // undici ends a tunnel with this code if the proxy answers CONNECT with anything but 200.
  UND_ERR_ABORTED: PROXY_REFUSED,
  ERR_PROXY_REFUSED: PROXY_REFUSED,
  UND_ERR_PRX_TLS:
    'The certificate of the proxy is not trusted. Check the URL of the proxy, or add its authority to NODE_EXTRA_CA_CERTS',
};

/**
 * Node names the errors of OpenSSL after their reason. Those about keys, certificates and their alerts are faults of
 * the configuration.
 */
const CONFIGURED =
  /^ERR_(?:OSSL_|SSL_.*(?:CERTIFICATE|UNKNOWN_CA|ALERT_HANDSHAKE_FAILURE|ALERT_PROTOCOL_VERSION|UNSUPPORTED_PROTOCOL))/;

/** The advice for the code of a failed connection; undefined if it does not name a fault of the configuration. */
export function remedyOf(code: string, isUnixSocket = false): string | undefined {
  if (isUnixSocket && ['ENOENT', 'EACCES', 'ENOTSOCK', 'EPERM', 'ENAMETOOLONG'].includes(code)) return NO_SOCKET;
  if (Object.hasOwn(REMEDIES, code)) return REMEDIES[code];
  if (!CONFIGURED.test(code)) return undefined;
  return code.startsWith('ERR_OSSL_') ? BAD_CLIENT_CERTIFICATE : NO_CLIENT_CERTIFICATE;
}

/** The error that ends the run. */
export function configurationFault(
  cause: unknown,
  code: string,
  remedy: string,
  { upstream, task }: FaultContext,
): FatalTaskError {
  return new FatalTaskError(
    'MILLRACE_NETWORK',
    `${upstream} cannot be called by '${task}': ${describeThrown(cause)}${code === '' ? '' : ` (${code})`}. ${remedy}`,
    { cause },
  );
}

/** Limits the search, because a chain of causes may be a cycle. */
const MOST_CAUSES = 8;

/**
 * The first code in the chain of causes, or ''. Errors that wrap others, like those of fetch, have no code themselves.
 */
export function codeIn(error: unknown): string {
  let at = error;
  for (let depth = 0; depth < MOST_CAUSES && typeof at === 'object' && at !== null; depth++) {
    const { code, cause, errors } = at as { code?: unknown; cause?: unknown; errors?: unknown };
    if (typeof code === 'string') return code;
    at = cause ?? (Array.isArray(errors) ? (errors as unknown[])[0] : undefined);
  }
  return '';
}
