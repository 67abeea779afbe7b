import { userOf, vhostOf } from './broker-url.js';

const UNTRUSTED = new Set([
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
]);

/**
 * What an operator has to change before the broker takes the connection. Undefined where waiting may be enough, as for a
 * broker that is down.
 */
export function refusalBy(error: unknown, url: string): string | undefined {
  if (!(error instanceof Error)) return undefined;
  const { message, code = '' } = error as NodeJS.ErrnoException;
  if (/ACCESS[-_]REFUSED/.test(message)) {
    const isGuest = userOf(url) === 'guest';
    return (
      `it refuses the credentials of user ${quoted(userOf(url))} (ACCESS_REFUSED): check user and password in RABBITMQ_URL` +
      (isGuest ? '; by default guest may connect from the host of the broker only' : '')
    );
  }
  // amqplib does not pass on which of these the broker has said.
  if (/Expected ConnectionOpenOk; got <ConnectionClose/.test(message))
    return (
      `it refuses virtual host ${quoted(vhostOf(url))} to user ${quoted(userOf(url))} (NOT_ALLOWED): the virtual host does not ` +
      'exist, the user has no permissions for it, or a limit of connections is reached; check it in RABBITMQ_URL, and ' +
      'at the broker by `rabbitmqctl list_vhosts` and `rabbitmqctl list_user_permissions`'
    );
  if (UNTRUSTED.has(code))
    return `its certificate is not signed by an authority that is known here (${code}): name its CA by RABBITMQ_CA_FILE`;
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID')
    return `its certificate is for another host name (${message}): connect by a name that the certificate has`;
  return undefined;
}

/** In quotes, on one line. */
function quoted(name: string): string {
  return JSON.stringify(name);
}
