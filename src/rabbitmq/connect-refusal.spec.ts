import { describe, expect, it } from '@jest/globals';
import { refusalBy } from './connect-refusal.js';

const URL_OF_BROKER = 'amqp://w%C3%B6rker:hush@broker/%2Fa';

describe('refusalBy', () => {
  it('names the user whose credentials are refused, and no password', () => {
    const error = new Error(
      'Handshake terminated by server: 403 (ACCESS-REFUSED) with message "ACCESS_REFUSED - Login was refused"',
    );
    const refusal = refusalBy(error, URL_OF_BROKER);
    expect(refusal).toMatch(/credentials of user "wörker" \(ACCESS_REFUSED\): check .* RABBITMQ_URL$/);
    expect(refusal).not.toContain('hush');
    expect(refusalBy(error, 'amqp://broker')).toMatch(/user "guest" .* from the host of the broker only/);
  });

  it('names virtual host and user where the broker closes the connection upon `connection.open`', () => {
    const error = new Error('Expected ConnectionOpenOk; got <ConnectionClose channel:0>');
    const refusal = refusalBy(error, URL_OF_BROKER);
    expect(refusal).toContain('virtual host "/a" to user "wörker" (NOT_ALLOWED)');
  });

  it('names the setting of the CA where nobody known here has signed the certificate', () => {
    const error = Object.assign(new Error('self-signed certificate'), {
      code: 'DEPTH_ZERO_SELF_SIGNED_CERT',
    });
    expect(refusalBy(error, URL_OF_BROKER)).toContain('RABBITMQ_CA_FILE');
  });

  it('leaves what may pass by itself to whoever waits', () => {
    const error = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
    expect(refusalBy(error, URL_OF_BROKER)).toBeUndefined();
  });
});
